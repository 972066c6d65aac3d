// Apart from the keys, so that a program that only hashes links nothing else of libcrypto.
#include "ccrypto.h"
// The calls for one hash are old, but they alone do without libcrypto's providers.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

_Static_assert(sizeof(struct ccrypto_sha256_state) == sizeof(SHA256_CTX), "the state is libcrypto's");
_Static_assert(_Alignof(struct ccrypto_sha256_state) >= _Alignof(SHA256_CTX), "it is aligned for it");
_Static_assert(ccrypto_sha256_byte_count == SHA256_DIGEST_LENGTH, "the digest has its size");
_Static_assert(ccrypto_sha1_byte_count == SHA_DIGEST_LENGTH, "the digest has its size");

void ccrypto_sha256(const uint8_t *bytes, size_t byte_count, uint8_t *digest) {
  struct ccrypto_sha256_state state;
  ccrypto_sha256_begin(&state);
  ccrypto_sha256_add(&state, bytes, byte_count);
  ccrypto_sha256_end(&state, digest);
}

void ccrypto_sha256_begin(struct ccrypto_sha256_state *state) { SHA256_Init((SHA256_CTX *)state); }

void ccrypto_sha256_add(
    struct ccrypto_sha256_state *state, const uint8_t *bytes, size_t byte_count) {
  if (byte_count) SHA256_Update((SHA256_CTX *)state, bytes, byte_count);
}

void ccrypto_sha256_end(struct ccrypto_sha256_state *state, uint8_t *digest) {
  SHA256_Final(digest, (SHA256_CTX *)state);
}

void ccrypto_sha1(const uint8_t *bytes, size_t byte_count, uint8_t *digest) {
  SHA_CTX context;
  SHA1_Init(&context);
  if (byte_count) SHA1_Update(&context, bytes, byte_count);
  SHA1_Final(digest, &context);
}
