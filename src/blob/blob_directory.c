#include "blob/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"
#include "core/limits.h"

#define OBJECT_NAME_BYTES (SHA256_HEX_BYTES + 1) /* "ab/cdef…" with NUL */
#define TMP_NAME_CHARS	  24

/* A writer holds a lock on its file from just after creating it. A file without a lock that is
 * older than this belongs to a writer that died. */
#define SWEEP_AGE_US (60LL * 1000 * 1000)

struct blob_store {
	int tmp_fd;
	int objects_fd;
};

struct blob_writer {
	struct blob_store *store;
	struct sha256 *digest;
	uint64_t bytes;
	int fd;
	bool failed; /* an append failed: only abort is left */
	char name[TMP_NAME_CHARS + 1];
};

/* Opening */

static int open_directory(int parent_fd, const char *name, int *ret_fd, struct error *err)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open blob directory %s",
				       name);
	*ret_fd = fd;
	return 0;
}

static int make_directory(int parent_fd, const char *name, struct error *err)
{
	if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make blob directory %s",
				       name);
	return 0;
}

/* All of them at once, so that writers never have to make the parent's entry durable. */
static int make_fan_out(int objects_fd, struct error *err)
{
	for (unsigned i = 0; i < 256; i++) {
		char name[3];

		(void)snprintf(name, sizeof(name), "%02x", i & 0xff);
		if (make_directory(objects_fd, name, err) < 0)
			return -1;
	}
	return 0;
}

static int sync_directory(int fd, struct error *err)
{
	if (fsync(fd) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno,
				       "cannot make a blob directory durable");
	return 0;
}

/* Whether the file in tmp/ was left by a writer that is no more. */
static bool is_abandoned(int tmp_fd, const char *name)
{
	struct stat status;
	CLEANUP(cleanup_fd)
	int fd = openat(tmp_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	if (clock_wall_us() - (int64_t)status.st_mtim.tv_sec * 1000000 < SWEEP_AGE_US)
		return false;
	return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static int sweep(int tmp_fd, struct error *err)
{
	struct dirent *entry;
	int list_fd;

	if (open_directory(tmp_fd, ".", &list_fd, err) < 0)
		return -1;
	CLEANUP(cleanup_dir) DIR *list = fdopendir(list_fd);
	if (list == NULL) {
		int errnum = errno;

		(void)close(list_fd);
		return error_set_errno(err, ERR_INTERNAL, errnum, "cannot list partial blobs");
	}
	while ((entry = readdir(list)) != NULL) {
		/* Another process may sweep too, so the file may be gone: that is the aim. */
		if (is_abandoned(tmp_fd, entry->d_name))
			(void)unlinkat(tmp_fd, entry->d_name, 0);
	}
	return 0;
}

static int prepare(struct blob_store *store, int root_fd, struct error *err)
{
	if (make_directory(root_fd, "tmp", err) < 0 || make_directory(root_fd, "objects", err) < 0)
		return -1;
	if (open_directory(root_fd, "tmp", &store->tmp_fd, err) < 0 ||
	    open_directory(root_fd, "objects", &store->objects_fd, err) < 0)
		return -1;
	if (make_fan_out(store->objects_fd, err) < 0)
		return -1;
	if (sync_directory(store->objects_fd, err) < 0 || sync_directory(root_fd, err) < 0)
		return -1;
	return sweep(store->tmp_fd, err);
}

int blob_store_open(const char *directory, struct blob_store **ret, struct error *err)
{
	CLEANUP(cleanup_fd) int root_fd = -1;
	struct blob_store *store;

	if (fs_mkdir_all(directory, 0700, err) < 0)
		return error_wrap(err, "cannot make blob directory %s", directory);
	if (open_directory(AT_FDCWD, directory, &root_fd, err) < 0)
		return -1;
	store = xcalloc(1, sizeof(*store));
	store->tmp_fd = -1;
	store->objects_fd = -1;
	if (prepare(store, root_fd, err) < 0) {
		blob_store_free(store);
		return error_wrap(err, "blob store %s", directory);
	}
	*ret = store;
	return 0;
}

void blob_store_free(struct blob_store *store)
{
	if (store == NULL)
		return;
	cleanup_fd(&store->tmp_fd);
	cleanup_fd(&store->objects_fd);
	free(store);
}

/* Reading */

static void object_name(const uint8_t digest[SHA256_BYTES], char out[OBJECT_NAME_BYTES])
{
	char hex[SHA256_HEX_BYTES];

	sha256_to_hex(digest, hex);
	(void)snprintf(out, OBJECT_NAME_BYTES, "%.2s/%s", hex, hex + 2);
}

int blob_has(struct blob_store *store, const uint8_t digest[SHA256_BYTES], bool *ret,
	     uint64_t *ret_bytes, struct error *err)
{
	char name[OBJECT_NAME_BYTES];
	struct stat status;

	object_name(digest, name);
	if (fstatat(store->objects_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot look up blob %s",
					       name);
		*ret = false;
		*ret_bytes = 0;
		return 0;
	}
	*ret = true;
	*ret_bytes = (uint64_t)status.st_size;
	return 0;
}

int blob_open(struct blob_store *store, const uint8_t digest[SHA256_BYTES], int *ret_fd,
	      uint64_t *ret_bytes, struct error *err)
{
	char name[OBJECT_NAME_BYTES];
	struct stat status;

	object_name(digest, name);
	CLEANUP(cleanup_fd)
	int fd = openat(store->objects_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND, "there is no blob %.2s%s", name, name + 3);
	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open blob %s", name);
	*ret_bytes = (uint64_t)status.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Writing */

int blob_writer_new(struct blob_store *store, struct blob_writer **ret, struct error *err)
{
	struct blob_writer *writer = xcalloc(1, sizeof(*writer));

	writer->store = store;
	base62_random(writer->name, TMP_NAME_CHARS);
	writer->fd = openat(store->tmp_fd, writer->name,
			    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
	if (writer->fd < 0) {
		error_set_errno(err, ERR_INTERNAL, errno, "cannot begin a blob");
		free(writer);
		return -1;
	}
	if (flock(writer->fd, LOCK_EX | LOCK_NB) < 0) {
		error_set_errno(err, ERR_INTERNAL, errno, "cannot lock a new blob");
		blob_writer_abort(writer);
		return -1;
	}
	writer->digest = sha256_new();
	*ret = writer;
	return 0;
}

int blob_writer_append(struct blob_writer *writer, const void *data, size_t bytes,
		       struct error *err)
{
	CHECK(!writer->failed);
	writer->failed = true;
	if (bytes > LIMIT_BLOB_BYTES - writer->bytes)
		return error_set(err, ERR_TOO_LARGE, "a blob has at most %llu bytes",
				 LIMIT_BLOB_BYTES);
	if (fs_write_all(writer->fd, data, bytes, err) < 0)
		return error_wrap(err, "cannot store a blob");
	sha256_update(writer->digest, data, bytes);
	writer->bytes += bytes;
	writer->failed = false;
	return 0;
}

static int check_digest(const uint8_t actual[SHA256_BYTES], const uint8_t *expected,
			struct error *err)
{
	char actual_hex[SHA256_HEX_BYTES];
	char expected_hex[SHA256_HEX_BYTES];

	if (expected == NULL || sha256_equal(actual, expected))
		return 0;
	sha256_to_hex(actual, actual_hex);
	sha256_to_hex(expected, expected_hex);
	return error_set(err, ERR_UNPROCESSABLE,
			 "the bytes are not those of blob %s: their SHA-256 is %s", expected_hex,
			 actual_hex);
}

/* Makes objects/ab/ durable: after our rename, or before we rely on that of another writer. */
static int sync_fan_out(const struct blob_store *store, const char *object, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char directory[3] = {object[0], object[1], '\0'};

	if (open_directory(store->objects_fd, directory, &fd, err) < 0)
		return -1;
	return sync_directory(fd, err);
}

/* Moves the written file to its name, unless the same bytes are there already. */
static int publish(struct blob_writer *writer, const uint8_t digest[SHA256_BYTES],
		   struct error *err)
{
	struct blob_store *store = writer->store;
	char name[OBJECT_NAME_BYTES];
	uint64_t existing_bytes;
	bool exists;

	if (blob_has(store, digest, &exists, &existing_bytes, err) < 0)
		return -1;
	object_name(digest, name);
	if (!exists || existing_bytes != writer->bytes) {
		if (fdatasync(writer->fd) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno,
					       "cannot make a blob durable");
		if (renameat(store->tmp_fd, writer->name, store->objects_fd, name) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot name blob %s",
					       name);
		writer->name[0] = '\0';
	}
	return sync_fan_out(store, name, err);
}

int blob_writer_commit(struct blob_writer *writer, const uint8_t expected[SHA256_BYTES],
		       uint8_t ret_digest[SHA256_BYTES], uint64_t *ret_bytes, struct error *err)
{
	uint8_t digest[SHA256_BYTES];
	int result;

	CHECK(!writer->failed);
	sha256_finish(writer->digest, digest);
	result = check_digest(digest, expected, err);
	if (result == 0)
		result = publish(writer, digest, err);
	if (result == 0) {
		memcpy(ret_digest, digest, SHA256_BYTES);
		*ret_bytes = writer->bytes;
	}
	blob_writer_abort(writer);
	return result;
}

void blob_writer_abort(struct blob_writer *writer)
{
	if (writer == NULL)
		return;
	/* Before the lock goes with the descriptor. A published file has no name in tmp/ any more.
	 */
	if (writer->name[0] != '\0')
		(void)unlinkat(writer->store->tmp_fd, writer->name, 0);
	cleanup_fd(&writer->fd);
	sha256_free(writer->digest);
	free(writer);
}

int blob_put(struct blob_store *store, const void *data, size_t bytes,
	     uint8_t ret_digest[SHA256_BYTES], struct error *err)
{
	struct blob_writer *writer;
	uint64_t stored_bytes;

	if (blob_writer_new(store, &writer, err) < 0)
		return -1;
	if (blob_writer_append(writer, data, bytes, err) < 0) {
		blob_writer_abort(writer);
		return -1;
	}
	return blob_writer_commit(writer, NULL, ret_digest, &stored_bytes, err);
}
