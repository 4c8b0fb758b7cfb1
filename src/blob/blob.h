/* The blob store: immutable bytes named by their SHA-256. Durable before it says so: data and
 * directory entry are fsynced. The port has one implementation so far, a directory with two levels
 * of fan-out (objects/ab/cdef…); partial writes live in tmp/ and are swept at open. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/hash.h"

struct blob_store;

MUST_CHECK int blob_store_open(const char *directory, struct blob_store **ret, struct error *err);
void blob_store_free(struct blob_store *store);

/* Thread-safe from here on. */
MUST_CHECK int blob_has(struct blob_store *store, const uint8_t digest[SHA256_BYTES], bool *ret,
			uint64_t *ret_bytes, struct error *err);
/* A descriptor to read from, and the size. ERR_NOT_FOUND. */
MUST_CHECK int blob_open(struct blob_store *store, const uint8_t digest[SHA256_BYTES], int *ret_fd,
			 uint64_t *ret_bytes, struct error *err);

/* Writing: begin, append…, then commit (checks the digest; ERR_UNPROCESSABLE if the bytes are
 * others) or abort. ERR_NO_SPACE when the disk is full; nothing is left behind. */
struct blob_writer;
MUST_CHECK int blob_writer_new(struct blob_store *store, struct blob_writer **ret,
			       struct error *err);
MUST_CHECK int blob_writer_append(struct blob_writer *writer, const void *data, size_t bytes,
				  struct error *err);
/* expected may be NULL: the digest is then only reported. Frees the writer either way. */
MUST_CHECK int blob_writer_commit(struct blob_writer *writer, const uint8_t expected[SHA256_BYTES],
				  uint8_t ret_digest[SHA256_BYTES], uint64_t *ret_bytes,
				  struct error *err);
void blob_writer_abort(struct blob_writer *writer); /* NULL is fine */
/* Whole-buffer convenience. */
MUST_CHECK int blob_put(struct blob_store *store, const void *data, size_t bytes,
			uint8_t ret_digest[SHA256_BYTES], struct error *err);
