// The interface of a plugin for `sluice engine --plugin LIB`: a shared library that makes entities of
// the bytes of a file, and bytes of the entities. Protocol/PLUGINS.md has the rules;
// Tools/plugin/ini.c is an example.
//
// The library exports one function, sluice_plugin(). It is called once, when the library is loaded.
// The functions that it names are called in a process of their own, each call in a new one: nothing
// that a call leaves behind is there for the next one. That process can open no file, make no socket
// and start no thread or process. What it prints on standard error is the engine's.
//
// Texts are UTF-8, end with a zero byte, and are valid until the call returns.
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_PLUGIN_VERSION 1

struct sluice_plugin_file {
  const char *id;
  const char *path;
  const char *metadata;  // JSON, or NULL
  int is_hidden;
  const unsigned char *data;  // with a zero byte behind its end
  size_t byte_count;
};

struct sluice_plugin_entity {
  const char *id;
  const char *schema_key;
  const char *schema_version;
  const char *content;  // a JSON object; NULL: the entity is gone
};

struct sluice_plugin_schema {
  const char *key;
  const char *version;
  const char *definition;  // a JSON Schema
};

// What the engine does for a plugin during a call.
struct sluice_plugin_host {
  // detect: reports an entity that is new, other or gone.
  void (*emit)(const struct sluice_plugin_host *host, const struct sluice_plugin_entity *entity);
  // apply: adds bytes at the end of the file.
  void (*write)(const struct sluice_plugin_host *host, const void *bytes, size_t byte_count);
  // detect: the live entities of the file that this plugin made, in any order. Returns their number.
  size_t (*entities)(const struct sluice_plugin_host *host,
                     const struct sluice_plugin_entity **entities);
  // detect: runs a SELECT over the state, with texts for its parameters, and stores its values, row
  // by row; NULL for NULL. Returns the number of rows, and of columns in `*column_count`.
  size_t (*query)(const struct sluice_plugin_host *host, const char *sql,
                  const char *const *arguments, size_t argument_count, const char *const **values,
                  size_t *column_count);
  // Says why the call fails. The call does not return from here.
  void (*fail)(const struct sluice_plugin_host *host, const char *reason)
      __attribute__((__noreturn__));
};

struct sluice_plugin {
  uint32_t version;          // SLUICE_PLUGIN_VERSION
  const char *key;           // [a-z0-9_-], at most 64
  const char *const *globs;  // SQLite's GLOB on the whole path; NULL behind the last one
  const struct sluice_plugin_schema *schemas;
  size_t schema_count;
  // Reports how the entities of `after` differ from those of `before`, which is NULL for a new file.
  void (*detect)(const struct sluice_plugin_host *host, const struct sluice_plugin_file *before,
                 const struct sluice_plugin_file *after);
  // Writes the file, whose data is empty, from all its entities, in any order. May be NULL.
  void (*apply)(const struct sluice_plugin_host *host, const struct sluice_plugin_file *file,
                const struct sluice_plugin_entity *entities, size_t entity_count);
};

const struct sluice_plugin *sluice_plugin(void);

#ifdef __cplusplus
}
#endif
#endif
