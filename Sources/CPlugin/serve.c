// The process of one call: reads the call, calls the plugin, sends what it gives, and ends. The
// engine believes nothing that comes from here, so this file checks only what keeps the plugin's
// author from surprises.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "CPlugin.h"

struct service {
  struct sluice_plugin_host host;  // first, so that a host is its service
  int socket;
  size_t byte_count;
  char buffer[64 * 1024];
};

static struct service *service_of(const struct sluice_plugin_host *host) {
  return (struct service *)(uintptr_t)host;
}

// --- sending ------------------------------------------------------------------------------------

static void send_all(struct service *service, const void *bytes, size_t count) {
  // The engine has given up, or ended.
  if (cplugin_send(service->socket, bytes, count, INT64_MAX) < 0) _exit(0);
}

static void flush(struct service *service) {
  send_all(service, service->buffer, service->byte_count);
  service->byte_count = 0;
}

static void put(struct service *service, const void *bytes, size_t count) {
  if (count > sizeof service->buffer - service->byte_count) flush(service);
  if (count > sizeof service->buffer) {
    send_all(service, bytes, count);
    return;
  }
  if (count > 0) memcpy(service->buffer + service->byte_count, bytes, count);
  service->byte_count += count;
}

static uint32_t size_of(const char *text) {
  size_t count = text ? strlen(text) : CPLUGIN_NONE;
  return count > CPLUGIN_NONE ? CPLUGIN_NONE : (uint32_t)count;
}

static void put_texts(struct service *service, uint32_t kind, const char *const *texts,
                      size_t count) {
  uint64_t byte_count = 0;
  for (size_t i = 0; i < count; i++)
    byte_count += 4 + (texts[i] ? (uint64_t)size_of(texts[i]) : 0);
  // The engine refuses this size.
  if (byte_count > UINT32_MAX) byte_count = UINT32_MAX;
  struct cplugin_frame frame = {kind, (uint32_t)byte_count};
  put(service, &frame, sizeof frame);
  for (size_t i = 0; i < count; i++) {
    uint32_t size = size_of(texts[i]);
    put(service, &size, sizeof size);
    if (texts[i]) put(service, texts[i], size);
  }
}

static void emit(const struct sluice_plugin_host *host, const struct sluice_plugin_entity *entity) {
  const char *texts[] = {entity->id, entity->schema_key, entity->schema_version, entity->content};
  put_texts(service_of(host), cplugin_emitted, texts, 4);
}

static void write_bytes(const struct sluice_plugin_host *host, const void *bytes, size_t count) {
  struct service *service = service_of(host);
  const char *next = bytes;
  while (count > 0) {
    size_t part = count < 1 << 20 ? count : 1 << 20;
    struct cplugin_frame frame = {cplugin_wrote, (uint32_t)part};
    put(service, &frame, sizeof frame);
    put(service, next, part);
    next += part;
    count -= part;
  }
}

static void fail(const struct sluice_plugin_host *host, const char *reason)
    __attribute__((__noreturn__));
static void fail(const struct sluice_plugin_host *host, const char *reason) {
  struct service *service = service_of(host);
  put_texts(service, cplugin_failed, &reason, 1);
  flush(service);
  _exit(0);
}

// --- receiving ----------------------------------------------------------------------------------

static void *allocate(size_t count) {
  void *memory = calloc(count ? count : 1, 1);
  // As a plugin without memory ends.
  if (!memory) abort();
  return memory;
}

struct reader {
  char *next;
};

static struct reader receive_frame(struct service *service, uint32_t *kind) {
  struct cplugin_frame frame;
  if (cplugin_receive(service->socket, &frame, sizeof frame, INT64_MAX) < 0) _exit(0);
  struct reader reader = {allocate((size_t)frame.byte_count + 1)};
  if (cplugin_receive(service->socket, reader.next, frame.byte_count, INT64_MAX) < 0) _exit(0);
  *kind = frame.kind;
  return reader;
}

static uint32_t number(struct reader *reader) {
  uint32_t value;
  memcpy(&value, reader->next, sizeof value);
  reader->next += sizeof value;
  return value;
}

// A text with a zero byte behind it, which is part of the frame.
static const char *text(struct reader *reader, size_t *byte_count) {
  uint32_t count = number(reader);
  if (count == CPLUGIN_NONE) return NULL;
  const char *start = reader->next;
  reader->next += (size_t)count + 1;
  if (byte_count) *byte_count = count;
  return start;
}

static struct sluice_plugin_file file(struct reader *reader) {
  struct sluice_plugin_file file = {.id = text(reader, NULL)};
  file.path = text(reader, NULL);
  file.metadata = text(reader, NULL);
  file.is_hidden = number(reader) != 0;
  file.data = (const unsigned char *)text(reader, &file.byte_count);
  return file;
}

static struct sluice_plugin_entity *read_entities(struct reader *reader, size_t *count) {
  *count = number(reader);
  struct sluice_plugin_entity *entities = allocate(*count * sizeof *entities);
  for (size_t i = 0; i < *count; i++) {
    entities[i].id = text(reader, NULL);
    entities[i].schema_key = text(reader, NULL);
    entities[i].schema_version = text(reader, NULL);
    entities[i].content = text(reader, NULL);
  }
  return entities;
}

static size_t entities(const struct sluice_plugin_host *host,
                       const struct sluice_plugin_entity **entities) {
  struct service *service = service_of(host);
  put_texts(service, cplugin_wants_entities, NULL, 0);
  flush(service);
  uint32_t kind;
  struct reader reader = receive_frame(service, &kind);
  size_t count;
  *entities = read_entities(&reader, &count);
  return count;
}

static size_t query(const struct sluice_plugin_host *host, const char *sql,
                    const char *const *arguments, size_t argument_count,
                    const char *const **values, size_t *column_count) {
  struct service *service = service_of(host);
  const char **texts = allocate((argument_count + 1) * sizeof *texts);
  texts[0] = sql;
  for (size_t i = 0; i < argument_count; i++) texts[i + 1] = arguments[i];
  put_texts(service, cplugin_asked, texts, argument_count + 1);
  flush(service);
  free(texts);
  uint32_t kind;
  struct reader reader = receive_frame(service, &kind);
  size_t row_count = number(&reader);
  *column_count = number(&reader);
  const char **found = allocate(row_count * *column_count * sizeof *found);
  for (size_t i = 0; i < row_count * *column_count; i++) found[i] = text(&reader, NULL);
  *values = found;
  return row_count;
}

// --- the call -----------------------------------------------------------------------------------

void cplugin_serve(const struct sluice_plugin *plugin, int socket) {
  static struct service service;
  service.host = (struct sluice_plugin_host){emit, write_bytes, entities, query, fail};
  service.socket = socket;
  uint32_t kind;
  struct reader reader = receive_frame(&service, &kind);
  if (kind == cplugin_detect) {
    struct sluice_plugin_file before = {0};
    int has_before = number(&reader) != 0;
    if (has_before) before = file(&reader);
    struct sluice_plugin_file after = file(&reader);
    plugin->detect(&service.host, has_before ? &before : NULL, &after);
  } else {
    struct sluice_plugin_file built = file(&reader);
    size_t count;
    struct sluice_plugin_entity *list = read_entities(&reader, &count);
    plugin->apply(&service.host, &built, list, count);
  }
  struct cplugin_frame done = {cplugin_done, 0};
  put(&service, &done, sizeof done);
  flush(&service);
  _exit(0);
}
