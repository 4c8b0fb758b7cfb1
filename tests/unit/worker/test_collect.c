#include "worker/collect.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "core/limits.h"
#include "tap.h"
#include "worker/timer.h"

struct fixture {
	sd_event *event;
	struct collect *collect;
	int work_fd;
	struct buf files; /* "path size x;" of each output */
	struct buf said;
	size_t said_count;
	size_t file_count;
	bool done;
};

static void on_say(void *context, const char *text)
{
	struct fixture *fixture = context;

	buf_appendf(&fixture->said, "%s\n", text);
	fixture->said_count++;
}

static void on_file(void *context, const struct collected_file *file, int fd)
{
	struct fixture *fixture = context;
	char head[64] = "";
	uint8_t digest[SHA256_BYTES];

	if (file->size_bytes < sizeof(head)) {
		EXPECT_INT(read(fd, head, sizeof(head)), file->size_bytes);
		sha256_of(head, (size_t)file->size_bytes, digest);
		EXPECT(sha256_equal(digest, file->blob));
	}
	buf_appendf(&fixture->files, "%s %llu%s;", file->path, (unsigned long long)file->size_bytes,
		    file->executable ? " x" : "");
	fixture->file_count++;
	cleanup_fd(&fd);
	collect_next(fixture->collect);
}

static void on_done(void *context)
{
	struct fixture *fixture = context;

	fixture->done = true;
}

static void set_up(struct fixture *fixture)
{
	*fixture = (struct fixture){0};
	EXPECT(mkdir("work", 0755) == 0);
	fixture->work_fd = open("work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT(fixture->work_fd >= 0);
	EXPECT(sd_event_new(&fixture->event) >= 0);
	buf_init(&fixture->files, 4 * MIB);
	buf_init(&fixture->said, 4 * MIB);
}

static void tear_down(struct fixture *fixture)
{
	collect_free(fixture->collect);
	sd_event_unref(fixture->event);
	cleanup_fd(&fixture->work_fd);
	buf_release(&fixture->files);
	buf_release(&fixture->said);
}

static void put(struct fixture *fixture, const char *path, const char *text, mode_t mode)
{
	int fd = openat(fixture->work_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	EXPECT(fd >= 0);
	EXPECT_INT(write(fd, text, strlen(text)), strlen(text));
	cleanup_fd(&fd);
}

static void collect_all(struct fixture *fixture, const struct staged_file *staged, size_t count,
			uint64_t bytes_max)
{
	const struct collect_options options = {
		.event = fixture->event,
		.work_fd = fixture->work_fd,
		.staged = staged,
		.staged_count = count,
		.bytes_max = bytes_max,
		.context = fixture,
		.say = on_say,
		.on_file = on_file,
		.on_done = on_done,
	};

	fixture->collect = collect_new(&options);
	while (!fixture->done)
		EXPECT(sd_event_run(fixture->event, UINT64_MAX) > 0);
}

static void expect_said(const struct fixture *fixture, const char *text)
{
	if (!strstr(fixture->said.data, text))
		tap_fail(__FILE__, __LINE__, "\"%s\" was not said, but: %s", text,
			 fixture->said.data);
}

TEST(files_come_sorted_with_size_and_mode)
{
	struct fixture fixture;

	set_up(&fixture);
	put(&fixture, "b.txt", "bee", 0644);
	EXPECT(mkdirat(fixture.work_fd, "a", 0755) == 0);
	put(&fixture, "a/tool", "#!", 0755);
	put(&fixture, "empty", "", 0600);
	collect_all(&fixture, NULL, 0, 1 * MIB);
	EXPECT_STR(fixture.files.data, "a/tool 2 x;b.txt 3;empty 0;");
	EXPECT_STR(fixture.said.data, "");
	tear_down(&fixture);
}

static struct staged_file staged_at(struct fixture *fixture, const char *path)
{
	struct stat status;

	EXPECT(fstatat(fixture->work_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0);
	return (struct staged_file){.path = path, .stamp = tree_stamp_of(&status)};
}

TEST(inputs_left_alone_are_no_outputs_changed_ones_are)
{
	struct staged_file staged[3];
	struct fixture fixture;
	int fd;

	set_up(&fixture);
	put(&fixture, "changed", "before", 0644);
	put(&fixture, "kept", "same", 0644);
	put(&fixture, "replaced", "old", 0644);
	staged[0] = staged_at(&fixture, "changed");
	staged[1] = staged_at(&fixture, "kept");
	staged[2] = staged_at(&fixture, "replaced");
	fd = openat(fixture.work_fd, "changed", O_WRONLY | O_CLOEXEC);
	EXPECT_INT(write(fd, "after!", 6), 6);
	cleanup_fd(&fd);
	EXPECT(unlinkat(fixture.work_fd, "replaced", 0) == 0);
	put(&fixture, "replaced", "new", 0644);
	collect_all(&fixture, staged, 3, 1 * MIB);
	EXPECT_STR(fixture.files.data, "changed 6;replaced 3;");
	tear_down(&fixture);
}

TEST(whatever_is_no_plain_file_is_refused)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "work/socket"};
	struct fixture fixture;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_up(&fixture);
	EXPECT(mkdir("outside", 0755) == 0);
	EXPECT(symlinkat("/etc/passwd", fixture.work_fd, "escape") == 0);
	EXPECT(symlinkat("nowhere", fixture.work_fd, "dangling") == 0);
	EXPECT(symlinkat("../outside", fixture.work_fd, "directory") == 0);
	EXPECT(mkfifoat(fixture.work_fd, "fifo", 0644) == 0);
	EXPECT(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
	put(&fixture, "good", "1", 0644);
	collect_all(&fixture, NULL, 0, 1 * MIB);
	EXPECT_STR(fixture.files.data, "good 1;");
	expect_said(&fixture, "rgrid: output escape is left out: it is a symbolic link");
	expect_said(&fixture, "rgrid: output dangling is left out: it is a symbolic link");
	expect_said(&fixture, "rgrid: output directory is left out: it is a symbolic link");
	expect_said(&fixture, "rgrid: output fifo is left out: it is a named pipe");
	expect_said(&fixture, "rgrid: output socket is left out: it is a socket");
	EXPECT_INT(fixture.said_count, 5);
	cleanup_fd(&fd);
	tear_down(&fixture);
}

TEST(devices_are_refused)
{
	struct fixture fixture;

	if (geteuid() != 0)
		tap_skip("only root can make a device");
	set_up(&fixture);
	EXPECT(mknodat(fixture.work_fd, "null", S_IFCHR | 0666, (dev_t)(1 << 8 | 3)) == 0);
	collect_all(&fixture, NULL, 0, 1 * MIB);
	EXPECT_STR(fixture.files.data, "");
	expect_said(&fixture, "it is a device");
	tear_down(&fixture);
}

TEST(hard_links_count_only_within)
{
	struct fixture fixture;

	set_up(&fixture);
	put(&fixture, "one", "pair", 0644);
	EXPECT(linkat(fixture.work_fd, "one", fixture.work_fd, "two", 0) == 0);
	put(&fixture, "alone", "away", 0644);
	EXPECT(linkat(fixture.work_fd, "alone", AT_FDCWD, "outside", 0) == 0);
	collect_all(&fixture, NULL, 0, 1 * MIB);
	EXPECT_STR(fixture.files.data, "one 4;two 4;");
	expect_said(&fixture, "output alone is left out: it is a hard link to a file elsewhere");
	tear_down(&fixture);
}

TEST(unsafe_names_are_refused_and_printed_safely)
{
	struct fixture fixture;

	set_up(&fixture);
	put(&fixture, "new\nline", "", 0644);
	put(&fixture, "\x1b[31mred", "", 0644);
	put(&fixture, "latin\xe9", "", 0644);
	put(&fixture,
	    "gr\xc3\xbc\xc3\x9f"
	    "e",
	    "hi", 0644);
	collect_all(&fixture, NULL, 0, 1 * MIB);
	EXPECT_STR(fixture.files.data, "gr\xc3\xbc\xc3\x9f"
				       "e 2;");
	EXPECT_INT(fixture.said_count, 3);
	expect_said(&fixture, "output new?line is left out");
	expect_said(&fixture, "output ?[31mred is left out");
	EXPECT(strchr(fixture.said.data, '\x1b') == NULL);
	tear_down(&fixture);
}

TEST(too_deep_is_refused)
{
	struct fixture fixture;
	int fd;

	set_up(&fixture);
	fd = dup(fixture.work_fd);
	for (int i = 0; i < LIMIT_ARTIFACTS_DEPTH + 5; i++) {
		int child;

		EXPECT(mkdirat(fd, "d", 0755) == 0);
		child = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cleanup_fd(&fd);
		fd = child;
	}
	cleanup_fd(&fd);
	put(&fixture, "top", "1", 0644);
	collect_all(&fixture, NULL, 0, 1 * MIB);
	EXPECT_STR(fixture.files.data, "top 1;");
	expect_said(&fixture, "it lies too deep");
	EXPECT_INT(fixture.said_count, 1);
	tear_down(&fixture);
}

TEST(absurd_sizes_are_refused)
{
	struct fixture fixture;
	int fd;

	set_up(&fixture);
	put(&fixture, "a", "12345", 0644);
	put(&fixture, "b", "123456", 0644);
	put(&fixture, "c", "1234", 0644);
	fd = openat(fixture.work_fd, "holes", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	EXPECT(ftruncate(fd, (off_t)(8 * GIB)) == 0);
	cleanup_fd(&fd);
	collect_all(&fixture, NULL, 0, 10);
	EXPECT_STR(fixture.files.data, "a 5;c 4;");
	expect_said(&fixture, "output b is left out: all outputs together exceed the disk limit");
	expect_said(&fixture, "output holes is left out");
	tear_down(&fixture);
}

TEST(too_many_are_cut_off)
{
	struct fixture fixture;
	char name[32];

	set_up(&fixture);
	for (int i = 0; i < LIMIT_ARTIFACTS_COUNT + 50; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		put(&fixture, name, "", 0644);
	}
	collect_all(&fixture, NULL, 0, 1 * MIB);
	EXPECT_INT(fixture.file_count, LIMIT_ARTIFACTS_COUNT);
	EXPECT_INT(fixture.said_count, 1);
	expect_said(&fixture, "10000 output files");
	tear_down(&fixture);
}

TEST(many_refusals_are_summed_up)
{
	struct fixture fixture;
	char name[32];

	set_up(&fixture);
	for (int i = 0; i < COLLECT_REFUSALS_TOLD + 7; i++) {
		(void)snprintf(name, sizeof(name), "l%d", i);
		EXPECT(symlinkat("x", fixture.work_fd, name) == 0);
	}
	collect_all(&fixture, NULL, 0, 1 * MIB);
	EXPECT_INT(fixture.said_count, COLLECT_REFUSALS_TOLD + 1);
	expect_said(&fixture, "rgrid: 7 more outputs are left out");
	tear_down(&fixture);
}

static int count_turn(sd_event_source *source, uint64_t now_us, void *context)
{
	(void)now_us;
	++*(int *)context;
	EXPECT(sd_event_source_set_time_relative(source, 0) >= 0);
	EXPECT(sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) >= 0);
	return 0;
}

/* What else the loop has to do gets its turn between two slices. */
TEST(hashing_does_not_stall_the_loop)
{
	struct fixture fixture;
	sd_event_source *source = NULL;
	int turns = 0;
	int fd;

	set_up(&fixture);
	EXPECT(sd_event_add_time_relative(fixture.event, &source, CLOCK_BOOTTIME, 0, 1, count_turn,
					  &turns) >= 0);
	EXPECT(sd_event_source_set_priority(source, PRIORITY_BULK) >= 0);
	fd = openat(fixture.work_fd, "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	EXPECT(ftruncate(fd, (off_t)(64 * MIB)) == 0);
	cleanup_fd(&fd);
	collect_all(&fixture, NULL, 0, 1 * GIB);
	EXPECT_INT(fixture.file_count, 1);
	EXPECT(turns >= 32);
	sd_event_source_unref(source);
	tear_down(&fixture);
}
