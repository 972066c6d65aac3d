#include "cautomerge.h"
#include <limits.h>
#include <string.h>
#include <zlib.h>

// zlib counts in `uInt`; whatever is larger is handed to it piece by piece.
static uInt piece(size_t byte_count) {
  return byte_count > UINT_MAX ? UINT_MAX : (uInt)byte_count;
}

// `output` may be null: then the bytes are counted and thrown away.
static enum cautomerge_inflation run(
    const uint8_t *input, size_t input_count, uint8_t *output, struct cautomerge_room room,
    size_t *output_count) {
  uint8_t thrown_away[16384];
  z_stream stream;
  memset(&stream, 0, sizeof stream);
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return cautomerge_no_memory;
  size_t taken = 0, made = 0;
  int result = Z_OK;
  enum cautomerge_inflation outcome = cautomerge_damaged;
  while (result == Z_OK) {
    size_t space = room.byte_count_max - made;
    // One byte more than the room tells a stream that fills it from one that exceeds it.
    uint8_t *target = output && space ? output + made : thrown_away;
    size_t target_count = output && space ? space : sizeof thrown_away;
    uInt given = piece(input_count - taken), offered = piece(target_count);
    stream.next_in = (Bytef *)(input + taken);
    stream.avail_in = given;
    stream.next_out = target;
    stream.avail_out = offered;
    result = inflate(&stream, Z_NO_FLUSH);
    taken += given - stream.avail_in;
    size_t written = offered - stream.avail_out;
    if (written > space) {
      outcome = cautomerge_too_large;
      break;
    }
    made += written;
    if (made > room.byte_count_free && (made - room.byte_count_free) / room.ratio_max > taken) {
      outcome = cautomerge_too_large;
      break;
    }
    // No progress: the stream wants bytes that are not there.
    if (result == Z_OK && taken == input_count && stream.avail_out > 0) break;
  }
  if (result == Z_STREAM_END && outcome == cautomerge_damaged)
    outcome = taken == input_count ? cautomerge_inflated : cautomerge_surplus;
  if (result == Z_MEM_ERROR) outcome = cautomerge_no_memory;
  inflateEnd(&stream);
  *output_count = made;
  return outcome;
}

enum cautomerge_inflation cautomerge_measure(
    const uint8_t *input, size_t input_count, struct cautomerge_room room, size_t *output_count) {
  return run(input, input_count, NULL, room, output_count);
}

enum cautomerge_inflation cautomerge_inflate(
    const uint8_t *input, size_t input_count, uint8_t *output, size_t room, size_t *output_count) {
  struct cautomerge_room any = {.byte_count_max = room, .byte_count_free = room, .ratio_max = 1};
  return run(input, input_count, output, any, output_count);
}

size_t cautomerge_deflate_bound(size_t input_count) { return compressBound(input_count) + 64; }

size_t cautomerge_deflate(
    const uint8_t *input, size_t input_count, uint8_t *output, size_t room) {
  if (input_count > UINT_MAX || room > UINT_MAX) return 0;
  z_stream stream;
  memset(&stream, 0, sizeof stream);
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY)
      != Z_OK)
    return 0;
  stream.next_in = (Bytef *)input;
  stream.avail_in = (uInt)input_count;
  stream.next_out = output;
  stream.avail_out = (uInt)room;
  int result = deflate(&stream, Z_FINISH);
  size_t written = stream.total_out;
  deflateEnd(&stream);
  return result == Z_STREAM_END ? written : 0;
}
