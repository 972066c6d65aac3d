// Cryptography of OpenSSL's libcrypto, linked from its archive: SHA-256, SHA-1 for WebSocket's greeting,
// and Ed25519. The project writes no cryptography of its own.
//
// Why not libsodium: one cryptography library is enough. Automerge's many short hashes want libcrypto,
// which uses the processor's SHA instructions, and libcrypto has Ed25519 too.
//
// No function reads OpenSSL's configuration or any other file. All may be called by any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  ccrypto_sha256_byte_count = 32,
  ccrypto_sha1_byte_count = 20,
  ccrypto_seed_byte_count = 32,
  ccrypto_public_key_byte_count = 32,
  ccrypto_signature_byte_count = 64,
};

// Writes the SHA-256 of `bytes` to the 32 bytes at `digest`.
void ccrypto_sha256(const uint8_t *bytes, size_t byte_count, uint8_t *digest);

// A SHA-256 that takes its bytes in pieces. It may be copied.
struct ccrypto_sha256_state {
  uint64_t words[14];
};

void ccrypto_sha256_begin(struct ccrypto_sha256_state *state);
void ccrypto_sha256_add(struct ccrypto_sha256_state *state, const uint8_t *bytes, size_t byte_count);
void ccrypto_sha256_end(struct ccrypto_sha256_state *state, uint8_t *digest);

// Writes the SHA-1 of `bytes` to the 20 bytes at `digest`. It protects nothing: RFC 6455 asks for it.
void ccrypto_sha1(const uint8_t *bytes, size_t byte_count, uint8_t *digest);

// An Ed25519 key pair (RFC 8032). It never changes.
struct ccrypto_key_pair;

// The pair of a seed of 32 bytes, with the public key written to the 32 bytes at `public_key`. Null
// without memory. The caller frees it.
struct ccrypto_key_pair *ccrypto_key_pair_of_seed(const uint8_t *seed, uint8_t *public_key);
void ccrypto_key_pair_free(struct ccrypto_key_pair *pair);

// Writes the signature to the 64 bytes at `signature`. False without memory.
bool ccrypto_sign(
    struct ccrypto_key_pair *pair, const uint8_t *message, size_t byte_count, uint8_t *signature);

// Whether 32 bytes are a key that only its owner can sign for: the one encoding of its point, and not
// one of the eight points of small order, for which anyone can make signatures. libcrypto checks
// neither. It refuses bytes that are no point on the curve when it verifies.
bool ccrypto_is_public_key(const uint8_t *public_key);

// Whether the signature of 64 bytes is the key's. False too if `ccrypto_is_public_key` is, or without
// memory. libcrypto refuses an S that is not below the group's order, compares R byte for byte, and does
// not multiply by the cofactor.
bool ccrypto_verify(
    const uint8_t *public_key, const uint8_t *message, size_t byte_count, const uint8_t *signature);
