// What Automerge's format takes from two system libraries: raw DEFLATE of zlib and SHA-256 of
// libsodium.
#pragma once
#include <stddef.h>
#include <stdint.h>

// The SHA-256 of `bytes`, written to the 32 bytes at `digest`.
void cautomerge_sha256(const uint8_t *bytes, size_t byte_count, uint8_t *digest);

enum cautomerge_inflation {
  cautomerge_inflated = 0,
  cautomerge_damaged = 1,   // no DEFLATE stream, or one that ends early
  cautomerge_too_large = 2, // the stream would give more than `room` bytes
  cautomerge_surplus = 3,   // bytes follow the end of the stream
  cautomerge_no_memory = 4,
};

// Inflates the raw DEFLATE stream that is exactly the input. `output` may be null: then the bytes are
// counted and thrown away. Never writes or counts more than `room` bytes.
enum cautomerge_inflation cautomerge_inflate(
    const uint8_t *input, size_t input_count, uint8_t *output, size_t room, size_t *output_count);

// The room that `cautomerge_deflate` needs at most for so many bytes.
size_t cautomerge_deflate_bound(size_t input_count);

// Deflates without header. The bytes written, or 0 without memory or room.
size_t cautomerge_deflate(
    const uint8_t *input, size_t input_count, uint8_t *output, size_t room);
