// What libsluice.so does when it is preloaded or linked, rather than loaded as an extension: the
// calls by which a program opens its first database come here first, and register the VFS.
#pragma once

// Tells this part which function registers the VFS, given SQLite's functions. Defined in Swift.
int sluice_register_vfs(const void *api);
