// What Automerge's format takes from zlib: raw DEFLATE.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum cautomerge_inflation {
  cautomerge_inflated = 0,
  cautomerge_damaged = 1,   // no DEFLATE stream, or one that ends early
  cautomerge_too_large = 2, // the stream would give more than there is room for
  cautomerge_surplus = 3,   // bytes follow the end of the stream
  cautomerge_no_memory = 4,
};

// What a stream may become.
struct cautomerge_room {
  size_t byte_count_max;
  size_t byte_count_free; // so many bytes with any ratio
  size_t ratio_max;       // bytes beyond these for each byte of the stream that was read by then; not 0
};

// Counts what the raw DEFLATE stream that is exactly the input becomes. Stops soon after the room ends,
// and takes no memory for what it counts.
enum cautomerge_inflation cautomerge_measure(
    const uint8_t *input, size_t input_count, struct cautomerge_room room, size_t *output_count);

// Inflates the raw DEFLATE stream that is exactly the input into `room` bytes at most.
enum cautomerge_inflation cautomerge_inflate(
    const uint8_t *input, size_t input_count, uint8_t *output, size_t room, size_t *output_count);

// The room that `cautomerge_deflate` needs at most for so many bytes.
size_t cautomerge_deflate_bound(size_t input_count);

// Deflates without header. The bytes written, or 0 without memory or room.
size_t cautomerge_deflate(
    const uint8_t *input, size_t input_count, uint8_t *output, size_t room);
