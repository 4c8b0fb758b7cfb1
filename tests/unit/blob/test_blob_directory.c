#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "blob/blob.h"
#include "core/limits.h"
#include "tap.h"

static struct blob_store *open_store(const char *directory)
{
	struct blob_store *store;
	struct error err;

	EXPECT_OK(blob_store_open(directory, &store, &err), err);
	return store;
}

static void put(struct blob_store *store, const char *text, uint8_t ret_digest[SHA256_BYTES])
{
	struct error err;

	EXPECT_OK(blob_put(store, text, strlen(text), ret_digest, &err), err);
}

static void expect_content(struct blob_store *store, const uint8_t digest[SHA256_BYTES],
			   const char *text)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char content[256];
	uint64_t bytes;
	ssize_t got;
	struct error err;

	EXPECT_OK(blob_open(store, digest, &fd, &bytes, &err), err);
	EXPECT_INT(bytes, strlen(text));
	got = read(fd, content, sizeof(content));
	EXPECT_INT(got, strlen(text));
	EXPECT(memcmp(content, text, strlen(text)) == 0);
}

static bool has(struct blob_store *store, const uint8_t digest[SHA256_BYTES])
{
	uint64_t bytes;
	struct error err;
	bool found;

	EXPECT_OK(blob_has(store, digest, &found, &bytes, &err), err);
	return found;
}

static size_t count_entries(const char *directory)
{
	CLEANUP(cleanup_dir) DIR *list = opendir(directory);
	size_t count = 0;

	EXPECT(list != NULL);
	for (struct dirent *entry; (entry = readdir(list)) != NULL;)
		count += entry->d_name[0] != '.';
	return count;
}

TEST(what_was_put_is_there)
{
	struct blob_store *store = open_store("a/b/store");
	uint8_t digest[SHA256_BYTES];
	uint8_t expected[SHA256_BYTES];
	uint64_t bytes;
	bool found;
	struct error err;

	sha256_of("hello", 5, expected);
	EXPECT(!has(store, expected));
	put(store, "hello", digest);
	EXPECT(sha256_equal(digest, expected));
	EXPECT_OK(blob_has(store, digest, &found, &bytes, &err), err);
	EXPECT(found);
	EXPECT_INT(bytes, 5);
	expect_content(store, digest, "hello");
	EXPECT_INT(count_entries("a/b/store/tmp"), 0);
	blob_store_free(store);

	store = open_store("a/b/store");
	expect_content(store, digest, "hello");
	blob_store_free(store);
}

TEST(blobs_lie_in_two_levels_and_cannot_be_written_to)
{
	struct blob_store *store = open_store("store");
	uint8_t digest[SHA256_BYTES];
	struct stat status;

	put(store, "", digest);
	/* the SHA-256 of nothing */
	EXPECT_INT(stat("store/objects/e3/"
			"b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			&status),
		   0);
	EXPECT_INT(status.st_size, 0);
	EXPECT_INT(status.st_mode & 07777, 0400);
	blob_store_free(store);
}

TEST(a_missing_blob_is_not_found)
{
	struct blob_store *store = open_store("store");
	uint8_t digest[SHA256_BYTES] = {0xab};
	uint64_t bytes;
	int fd;
	struct error err;

	EXPECT_ERR(blob_open(store, digest, &fd, &bytes, &err), err, ERR_NOT_FOUND);
	EXPECT(strstr(err.msg, "ab0000") != NULL);
	blob_store_free(store);
}

TEST(pieces_make_the_same_blob)
{
	struct blob_store *store = open_store("store");
	uint8_t expected[SHA256_BYTES];
	uint8_t digest[SHA256_BYTES];
	struct blob_writer *writer;
	uint64_t bytes;
	struct error err;

	sha256_of("one two three", 13, expected);
	EXPECT_OK(blob_writer_new(store, &writer, &err), err);
	EXPECT_OK(blob_writer_append(writer, "one ", 4, &err), err);
	EXPECT_OK(blob_writer_append(writer, "", 0, &err), err);
	EXPECT_OK(blob_writer_append(writer, "two three", 9, &err), err);
	EXPECT(!has(store, expected));
	EXPECT_OK(blob_writer_commit(writer, expected, digest, &bytes, &err), err);
	EXPECT(sha256_equal(digest, expected));
	EXPECT_INT(bytes, 13);
	expect_content(store, digest, "one two three");
	blob_store_free(store);
}

TEST(other_bytes_than_promised_are_refused)
{
	struct blob_store *store = open_store("store");
	uint8_t promised[SHA256_BYTES];
	uint8_t actual[SHA256_BYTES];
	uint8_t digest[SHA256_BYTES];
	struct blob_writer *writer;
	uint64_t bytes;
	struct error err;

	sha256_of("promised", 8, promised);
	sha256_of("other", 5, actual);
	EXPECT_OK(blob_writer_new(store, &writer, &err), err);
	EXPECT_OK(blob_writer_append(writer, "other", 5, &err), err);
	EXPECT_ERR(blob_writer_commit(writer, promised, digest, &bytes, &err), err,
		   ERR_UNPROCESSABLE);
	EXPECT(!has(store, promised));
	EXPECT(!has(store, actual));
	EXPECT_INT(count_entries("store/tmp"), 0);
	blob_store_free(store);
}

TEST(abort_leaves_nothing)
{
	struct blob_store *store = open_store("store");
	struct blob_writer *writer;
	struct error err;

	EXPECT_OK(blob_writer_new(store, &writer, &err), err);
	EXPECT_OK(blob_writer_append(writer, "x", 1, &err), err);
	EXPECT_INT(count_entries("store/tmp"), 1);
	blob_writer_abort(writer);
	blob_writer_abort(NULL);
	EXPECT_INT(count_entries("store/tmp"), 0);
	blob_store_free(store);
}

TEST(an_existing_blob_is_kept)
{
	struct blob_store *store = open_store("store");
	uint8_t digest[SHA256_BYTES];
	char name[SHA256_HEX_BYTES];
	char path[128];
	struct stat before;
	struct stat after;

	put(store, "same", digest);
	sha256_to_hex(digest, name);
	(void)snprintf(path, sizeof(path), "store/objects/%.2s/%s", name, name + 2);
	EXPECT_INT(stat(path, &before), 0);
	put(store, "same", digest);
	EXPECT_INT(stat(path, &after), 0);
	EXPECT_INT(before.st_ino, after.st_ino);
	EXPECT_INT(count_entries("store/tmp"), 0);
	blob_store_free(store);
}

TEST(a_torn_blob_is_replaced)
{
	struct blob_store *store = open_store("store");
	uint8_t digest[SHA256_BYTES];
	char name[SHA256_HEX_BYTES];
	char path[128];

	put(store, "whole", digest);
	sha256_to_hex(digest, name);
	(void)snprintf(path, sizeof(path), "store/objects/%.2s/%s", name, name + 2);
	EXPECT_INT(chmod(path, 0600), 0);
	EXPECT_INT(truncate(path, 2), 0);
	put(store, "whole", digest);
	expect_content(store, digest, "whole");
	blob_store_free(store);
}

#define WRITER_THREADS	 8
#define BLOBS_PER_THREAD 40

static void *write_shared_blobs(void *context)
{
	struct blob_store *store = context;
	struct error err;

	for (int i = 0; i < BLOBS_PER_THREAD; i++) {
		char text[32];
		uint8_t digest[SHA256_BYTES];

		(void)snprintf(text, sizeof(text), "blob number %d", i);
		if (blob_put(store, text, strlen(text), digest, &err) < 0)
			return xstrdup(err.msg);
	}
	return NULL;
}

TEST(many_writers_of_the_same_blobs_agree)
{
	struct blob_store *store = open_store("store");
	pthread_t threads[WRITER_THREADS];

	for (size_t i = 0; i < WRITER_THREADS; i++)
		EXPECT_INT(pthread_create(&threads[i], NULL, write_shared_blobs, store), 0);
	for (size_t i = 0; i < WRITER_THREADS; i++) {
		void *failure;

		EXPECT_INT(pthread_join(threads[i], &failure), 0);
		if (failure != NULL)
			tap_fail(__FILE__, __LINE__, "a writer failed: %s", (char *)failure);
	}
	for (int i = 0; i < BLOBS_PER_THREAD; i++) {
		char text[32];
		uint8_t digest[SHA256_BYTES];

		(void)snprintf(text, sizeof(text), "blob number %d", i);
		sha256_of(text, strlen(text), digest);
		expect_content(store, digest, text);
	}
	EXPECT_INT(count_entries("store/tmp"), 0);
	blob_store_free(store);
}

static void write_text(const char *path, const char *text)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	EXPECT(fd >= 0);
	EXPECT_INT(write(fd, text, strlen(text)), strlen(text));
}

/* An ordinary user mounts as root of a user namespace, as whom he keeps his files. */
static int unshare_users_mounts(void)
{
	char users[64];
	char groups[64];

	(void)snprintf(users, sizeof(users), "0 %u 1", (unsigned)getuid());
	(void)snprintf(groups, sizeof(groups), "0 %u 1", (unsigned)getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -1;
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", users);
	write_text("/proc/self/gid_map", groups);
	return 0;
}

/* A file system of the test's own, seen by nobody else, gone with the process. */
static void mount_small(const char *directory, const char *options)
{
	EXPECT_INT(mkdir(directory, 0700), 0);
	if (unshare(CLONE_NEWNS) < 0 && unshare_users_mounts() < 0)
		tap_skip("no mount namespace for a small file system: %s", strerror(errno));
	EXPECT_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	EXPECT_INT(mount("tmpfs", directory, "tmpfs", 0, options), 0);
}

static uint64_t free_blocks(const char *path)
{
	struct statvfs status;

	EXPECT_INT(statvfs(path, &status), 0);
	return status.f_bfree;
}

TEST(a_full_disk_leaves_nothing_behind)
{
	static char block[256 * 1024];
	struct blob_writer *writer;
	struct error err = {0};
	int appended = 0;

	mount_small("disk", "size=4m");
	struct blob_store *store = open_store("disk/store");
	uint64_t before = free_blocks("disk");

	EXPECT_OK(blob_writer_new(store, &writer, &err), err);
	while (appended < 64 && blob_writer_append(writer, block, sizeof(block), &err) == 0)
		appended++;
	EXPECT(appended > 0 && appended < 17);
	EXPECT_INT(err.code, ERR_NO_SPACE);
	blob_writer_abort(writer);
	EXPECT_INT(count_entries("disk/store/tmp"), 0);
	EXPECT_INT(free_blocks("disk"), before);

	/* there is room again, and the store goes on */
	uint8_t digest[SHA256_BYTES];
	put(store, "small", digest);
	expect_content(store, digest, "small");
	blob_store_free(store);
}

TEST(a_disk_without_inodes_is_full_too)
{
	struct blob_writer *writer;
	struct error err = {0};
	int made = 0;

	mount_small("disk", "size=4m,nr_inodes=262");
	struct blob_store *store = open_store("disk/store");
	for (; made < 8; made++) {
		char text[16];
		uint8_t digest[SHA256_BYTES];

		(void)snprintf(text, sizeof(text), "%d", made);
		if (blob_put(store, text, strlen(text), digest, &err) < 0)
			break;
	}
	EXPECT(made < 8);
	EXPECT_INT(err.code, ERR_NO_SPACE);
	EXPECT_ERR(blob_writer_new(store, &writer, &err), err, ERR_NO_SPACE);
	EXPECT_INT(count_entries("disk/store/tmp"), 0);
	blob_store_free(store);
}

static void make_partial(const char *path, int64_t age_s)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct timespec then = {.tv_sec = clock_wall_us() / 1000000 - age_s};
	const struct timespec times[2] = {then, then};

	EXPECT(fd >= 0);
	EXPECT_INT(write(fd, "part", 4), 4);
	EXPECT_INT(futimens(fd, times), 0);
}

TEST(opening_sweeps_what_dead_writers_left)
{
	blob_store_free(open_store("store"));
	make_partial("store/tmp/old", 3600);
	make_partial("store/tmp/just-begun", 0);
	blob_store_free(open_store("store"));
	EXPECT(access("store/tmp/old", F_OK) < 0);
	EXPECT_INT(access("store/tmp/just-begun", F_OK), 0);
}

TEST(opening_leaves_a_slow_writer_alone)
{
	struct blob_store *store = open_store("store");
	const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct blob_writer *writer;
	uint8_t digest[SHA256_BYTES];
	uint64_t bytes;
	struct error err;

	EXPECT_OK(blob_writer_new(store, &writer, &err), err);
	EXPECT_OK(blob_writer_append(writer, "slow", 4, &err), err);
	CLEANUP(cleanup_dir) DIR *list = opendir("store/tmp");
	for (struct dirent *entry; (entry = readdir(list)) != NULL;)
		if (entry->d_name[0] != '.')
			EXPECT_INT(utimensat(dirfd(list), entry->d_name, long_ago, 0), 0);
	blob_store_free(open_store("store"));
	EXPECT_INT(count_entries("store/tmp"), 1);
	EXPECT_OK(blob_writer_commit(writer, NULL, digest, &bytes, &err), err);
	expect_content(store, digest, "slow");
	blob_store_free(store);
}

TEST(a_place_that_is_no_directory_is_refused)
{
	CLEANUP(cleanup_fd) int fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct blob_store *store;
	struct error err;

	EXPECT(fd >= 0);
	EXPECT(blob_store_open("file", &store, &err) < 0);
	EXPECT(strstr(err.msg, "file") != NULL);
}
