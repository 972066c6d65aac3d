#include "ccrypto.h"
// The calls for one hash are old, but they alone do without libcrypto's providers.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

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

// Before the first call that would read openssl.cnf. Later calls do nothing.
static void begin(void) {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

struct ccrypto_key_pair *ccrypto_key_pair_of_seed(const uint8_t *seed, uint8_t *public_key) {
  begin();
  EVP_PKEY *key =
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ccrypto_seed_byte_count);
  if (!key) return NULL;
  size_t byte_count = ccrypto_public_key_byte_count;
  if (EVP_PKEY_get_raw_public_key(key, public_key, &byte_count) != 1) {
    EVP_PKEY_free(key);
    return NULL;
  }
  return (struct ccrypto_key_pair *)key;
}

void ccrypto_key_pair_free(struct ccrypto_key_pair *pair) { EVP_PKEY_free((EVP_PKEY *)pair); }

bool ccrypto_sign(
    struct ccrypto_key_pair *pair, const uint8_t *message, size_t byte_count, uint8_t *signature) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  size_t signature_byte_count = ccrypto_signature_byte_count;
  bool is_signed = context && EVP_DigestSignInit(context, NULL, NULL, NULL, (EVP_PKEY *)pair) == 1
      && EVP_DigestSign(context, signature, &signature_byte_count, message, byte_count) == 1;
  EVP_MD_CTX_free(context);
  return is_signed;
}

// The y coordinates of the points of small order, in little-endian order: 0, 1, p - 1 and two of order 8.
// The highest bit of an encoding is the sign of x.
static const uint8_t small_orders[][32] = {
    {0},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

bool ccrypto_is_public_key(const uint8_t *public_key) {
  uint8_t y[32];
  memcpy(y, public_key, sizeof y);
  y[31] &= 0x7f;
  // p is 2^255 - 19; an encoding of p or more has a smaller one too.
  bool is_large = y[31] == 0x7f && y[0] >= 0xed;
  for (int index = 1; index < 31; index++) is_large = is_large && y[index] == 0xff;
  if (is_large) return false;
  for (size_t index = 0; index < sizeof small_orders / sizeof *small_orders; index++)
    if (memcmp(y, small_orders[index], sizeof y) == 0) return false;
  return true;
}

bool ccrypto_verify(
    const uint8_t *public_key, const uint8_t *message, size_t byte_count, const uint8_t *signature) {
  if (!ccrypto_is_public_key(public_key)) return false;
  begin();
  EVP_PKEY *key = EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, NULL, public_key, ccrypto_public_key_byte_count);
  EVP_MD_CTX *context = key ? EVP_MD_CTX_new() : NULL;
  bool is_right = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1
      && EVP_DigestVerify(
             context, signature, ccrypto_signature_byte_count, message, byte_count) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return is_right;
}
