// A plugin for INI files: each key is an entity, and so is each run of lines that are none (blank
// lines, comments, headings of sections, and what it does not understand), so that the file comes
// back to the byte.
//
//   [server]            → server#       {"order":1,"text":"[server]\n"}
//   port = 80           → server.port   {"order":2,"before":"port = ","value":"80","after":"\n"}
//
//   cc -shared -fPIC -o ini.so -I build/include Tools/plugin/ini.c
//   sluice engine --root DIR --socket PATH --plugin ./ini.so
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluice_plugin.h"

typedef const struct sluice_plugin_host *host;

struct text {
  char *bytes;
  size_t count;
};

static void add(host host, struct text *text, const char *bytes, size_t count) {
  text->bytes = realloc(text->bytes, text->count + count + 1);
  if (!text->bytes) host->fail(host, "no memory is left");
  memcpy(text->bytes + text->count, bytes, count);
  text->count += count;
  text->bytes[text->count] = 0;
}

static void add_string(host host, struct text *json, const char *bytes, size_t count) {
  add(host, json, "\"", 1);
  for (size_t i = 0; i < count; i++) {
    char escaped[8];
    unsigned char c = (unsigned char)bytes[i];
    if (c < 32 || c == '"' || c == '\\')
      add(host, json, escaped, (size_t)sprintf(escaped, "\\u%04x", c));
    else
      add(host, json, bytes + i, 1);
  }
  add(host, json, "\"", 1);
}

struct piece {
  char *id;
  char *content;
};

struct pieces {
  struct piece *list;
  size_t count;
};

static void add_piece(host host, struct pieces *pieces, const char *section, size_t section_count,
                      const char *key, size_t key_count, const char *const parts[4], int is_key) {
  struct text id = {0}, content = {0};
  char head[32];
  add(host, &id, section, section_count);
  add(host, &id, is_key ? "." : "#", 1);
  add(host, &id, key, key_count);
  // A key or heading that stands there again.
  for (size_t i = 0; i < pieces->count; i++)
    if (strcmp(pieces->list[i].id, id.bytes) == 0) {
      add(host, &id, "'", 1);
      i = (size_t)-1;
    }
  add(host, &content, head, (size_t)sprintf(head, "{\"order\":%zu", pieces->count + 1));
  static const char *const names[] = {",\"before\":", ",\"value\":", ",\"after\":"};
  for (int i = 0; i < (is_key ? 3 : 1); i++) {
    const char *name = is_key ? names[i] : ",\"text\":";
    add(host, &content, name, strlen(name));
    add_string(host, &content, parts[i], (size_t)(parts[i + 1] - parts[i]));
  }
  add(host, &content, "}", 1);
  pieces->list = realloc(pieces->list, (pieces->count + 1) * sizeof *pieces->list);
  if (!pieces->list) host->fail(host, "no memory is left");
  pieces->list[pieces->count++] = (struct piece){id.bytes, content.bytes};
}

static struct pieces parse(host host, const struct sluice_plugin_file *file) {
  struct pieces pieces = {0};
  if (!file) return pieces;
  const char *next = (const char *)file->data, *end = next + file->byte_count, *section = next;
  if (memchr(next, 0, file->byte_count)) host->fail(host, "the file has a zero byte; it is no INI file");
  size_t section_count = 0;
  while (next < end) {
    const char *line = next, *newline = memchr(line, '\n', (size_t)(end - line));
    next = newline ? newline + 1 : end;
    const char *first = line, *last = next;
    while (first < next && isspace((unsigned char)*first)) first++;
    while (last > first && isspace((unsigned char)last[-1])) last--;
    const char *sign = memchr(first, '=', (size_t)(last - first));
    if (first < last && *first == '[' && last[-1] == ']') {
      section = first + 1;
      section_count = (size_t)(last - first) - 2;
      sign = NULL;
    }
    if (!sign || *first == ';' || *first == '#') {
      const char *parts[4] = {line, next};
      add_piece(host, &pieces, section, section_count, "", 0, parts, 0);
      continue;
    }
    const char *key_end = sign, *value = sign + 1;
    while (key_end > first && isspace((unsigned char)key_end[-1])) key_end--;
    while (value < last && isspace((unsigned char)*value)) value++;
    const char *parts[4] = {line, value, last > value ? last : value, next};
    add_piece(host, &pieces, section, section_count, first, (size_t)(key_end - first), parts, 1);
  }
  return pieces;
}

static void report(host host, const char *id, const char *content) {
  host->emit(host, &(struct sluice_plugin_entity){id, "ini_piece", "1.0", content});
}

static const char *content_of(const struct pieces *pieces, const char *id) {
  for (size_t i = 0; i < pieces->count; i++)
    if (strcmp(pieces->list[i].id, id) == 0) return pieces->list[i].content;
  return NULL;
}

static void detect(host host, const struct sluice_plugin_file *before,
                   const struct sluice_plugin_file *after) {
  struct pieces old = parse(host, before), new = parse(host, after);
  for (size_t i = 0; i < new.count; i++) {
    const char *content = content_of(&old, new.list[i].id);
    if (!content || strcmp(content, new.list[i].content) != 0)
      report(host, new.list[i].id, new.list[i].content);
  }
  for (size_t i = 0; i < old.count; i++)
    if (!content_of(&new, old.list[i].id)) report(host, old.list[i].id, NULL);
}

// Writes the string that follows `name` in a content, with the escapes that SQLite's JSON functions
// make.
static void write_member(host host, const char *content, const char *name) {
  const char *next = strstr(content, name);
  if (!next) return;
  for (next += strlen(name); *next && *next != '"'; next++) {
    char byte = *next;
    if (byte == '\\') {
      static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
      const char *letter = strchr(from, *++next);
      byte = letter && *letter ? to[letter - from] : *next;
      if (*next == 'u') {
        unsigned number = 0;
        if (sscanf(next + 1, "%4x", &number) != 1 || number > 127)
          host->fail(host, "a content has an escape beyond ASCII; write the character itself");
        byte = (char)number;
        next += 4;
      }
    }
    host->write(host, &byte, 1);
  }
}

static int by_order(const void *one, const void *other) {
  const struct sluice_plugin_entity *a = one, *b = other;
  const char *first = strstr(a->content, "\"order\":"), *second = strstr(b->content, "\"order\":");
  double difference = strtod(first ? first + 8 : "0", NULL) - strtod(second ? second + 8 : "0", NULL);
  return difference < 0 ? -1 : difference > 0 ? 1 : strcmp(a->id, b->id);
}

static void apply(host host, const struct sluice_plugin_file *file,
                  const struct sluice_plugin_entity *entities, size_t count) {
  (void)file;
  struct sluice_plugin_entity *sorted = malloc((count + 1) * sizeof *sorted);
  if (!sorted) host->fail(host, "no memory is left");
  memcpy(sorted, entities, count * sizeof *sorted);
  qsort(sorted, count, sizeof *sorted, by_order);
  static const char *const names[] = {"\"text\":\"", "\"before\":\"", "\"value\":\"", "\"after\":\""};
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < 4; j++) write_member(host, sorted[i].content, names[j]);
}

const struct sluice_plugin *sluice_plugin(void) {
  static const char *const globs[] = {"*.ini", NULL};
  static const struct sluice_plugin_schema schemas[] = {
      {"ini_piece", "1.0",
       "{\"type\":\"object\",\"required\":[\"order\"],\"properties\":{\"order\":{\"type\":\"number\"},"
       "\"text\":{\"type\":\"string\"},\"before\":{\"type\":\"string\"},\"value\":{\"type\":\"string\"},"
       "\"after\":{\"type\":\"string\"}},\"additionalProperties\":false}"}};
  static const struct sluice_plugin plugin = {
      SLUICE_PLUGIN_VERSION, "ini", globs, schemas, 1, detect, apply};
  return &plugin;
}
