// For a libsluice.so that is preloaded or linked, and not loaded as an extension: the calls by
// which a program opens its first database come here first, and register the VFS.
#pragma once

// Registers the VFS with the given functions of SQLite. Defined in Swift.
int sluice_register_vfs(const void *api);
