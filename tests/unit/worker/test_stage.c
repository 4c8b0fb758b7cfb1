#include "worker/stage.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "tap.h"

struct fixture {
	sd_event *event;
	struct transfers *transfers;
	struct cache *cache;
	struct job_spec spec;
	struct stage *stage;
	int work_fd;
	int spool_fd;
	bool done;
	enum outcome outcome;
	char message[ERROR_MESSAGE_BYTES];
};

static void on_done(void *context, enum outcome outcome, const struct error *err)
{
	struct fixture *fixture = context;

	fixture->done = true;
	fixture->outcome = outcome;
	if (err)
		(void)snprintf(fixture->message, sizeof(fixture->message), "%s", err->msg);
}

/* Puts a blob where the cache will find it, as if an earlier job had fetched it. */
static void seed_cache(const char *text, char hex[SHA256_HEX_BYTES])
{
	CLEANUP(cleanup_buf) struct buf boot;
	uint8_t digest[SHA256_BYTES];
	char path[256];
	struct error err;

	buf_init(&boot, 4096);
	EXPECT_OK(fs_mkdir_all("cache", 0700, &err), err);
	EXPECT_OK(fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot, &err), err);
	EXPECT_OK(fs_write_atomic("cache/boot_id", boot.data, boot.bytes, 0600, &err), err);
	sha256_of(text, strlen(text), digest);
	sha256_to_hex(digest, hex);
	(void)snprintf(path, sizeof(path), "cache/%s", hex);
	EXPECT_OK(fs_write_atomic(path, text, strlen(text), 0600, &err), err);
}

static void set_up(struct fixture *fixture, const char *spec)
{
	CLEANUP(cleanup_json) json_t *json = NULL;
	struct error err;

	*fixture = (struct fixture){0};
	EXPECT(mkdir("work", 0755) == 0 && mkdir("spool", 0755) == 0);
	fixture->work_fd = open("work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fixture->spool_fd = open("spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT(sd_event_new(&fixture->event) >= 0);
	EXPECT_OK(transfers_new(fixture->event, "http://127.0.0.1:1", NULL, &fixture->transfers,
				&err),
		  err);
	EXPECT_OK(cache_open(fixture->event, "cache", CACHE_BYTES_MAX, fixture->transfers,
			     &fixture->cache, &err),
		  err);
	EXPECT_OK(json_parse(spec, strlen(spec), &json, &err), err);
	EXPECT_OK(job_spec_read(json, "", &fixture->spec, &err), err);
}

static void stage(struct fixture *fixture)
{
	const struct stage_options options = {
		.event = fixture->event,
		.cache = fixture->cache,
		.spec = &fixture->spec,
		.work_fd = fixture->work_fd,
		.spool_fd = fixture->spool_fd,
		.owner = {.uid = geteuid(), .gid = getegid()},
		.context = fixture,
		.on_done = on_done,
	};

	fixture->stage = stage_new(&options);
	while (!fixture->done)
		EXPECT(sd_event_run(fixture->event, UINT64_MAX) > 0);
}

static void tear_down(struct fixture *fixture)
{
	stage_free(fixture->stage);
	cache_free(fixture->cache);
	transfers_free(fixture->transfers);
	job_spec_release(&fixture->spec);
	sd_event_unref(fixture->event);
	cleanup_fd(&fixture->work_fd);
	cleanup_fd(&fixture->spool_fd);
}

static void expect_file(const char *path, const char *text, mode_t mode)
{
	CLEANUP(cleanup_buf) struct buf content;
	struct stat status;
	struct error err;

	buf_init(&content, 64 << 20);
	EXPECT_OK(fs_read(AT_FDCWD, path, &content, &err), err);
	EXPECT_STR(content.data, text);
	EXPECT(stat(path, &status) == 0);
	EXPECT_INT(status.st_mode & 07777, mode);
	EXPECT_INT(status.st_nlink, 1);
}

TEST(inline_script_and_directories)
{
	struct fixture fixture;
	size_t count;

	set_up(&fixture, "{\"runtime\": \"python\", \"script\": {\"name\": \"src/main.py\","
			 " \"content\": \"print(1)\"}, \"directories\": [\"out/deep\"]}");
	stage(&fixture);
	EXPECT_INT(fixture.outcome, OUTCOME_NONE);
	expect_file("work/src/main.py", "print(1)", 0755);
	EXPECT(access("work/out/deep", F_OK) == 0);
	EXPECT_STR(stage_files(fixture.stage, &count)[0].path, "src/main.py");
	EXPECT_INT(count, 1);
	tear_down(&fixture);
}

TEST(blobs_come_from_the_cache_as_copies)
{
	char script[SHA256_HEX_BYTES];
	char input[SHA256_HEX_BYTES];
	char spec[1024];
	char text[8] = "";
	struct fixture fixture;
	const struct staged_file *files;
	size_t count;

	seed_cache("echo hi", script);
	seed_cache("1,2,3", input);
	(void)snprintf(
		spec, sizeof(spec),
		"{\"runtime\": \"bash\", \"script\": {\"name\": \"run.sh\", \"blob\": \"%s\"},"
		" \"stdin\": {\"blob\": \"%s\"}, \"files\": ["
		"{\"path\": \"z.csv\", \"blob\": \"%s\"},"
		"{\"path\": \"bin/tool\", \"blob\": \"%s\", \"executable\": true}]}",
		script, input, input, script);
	set_up(&fixture, spec);
	stage(&fixture);
	EXPECT_INT(fixture.outcome, OUTCOME_NONE);
	expect_file("work/run.sh", "echo hi", 0755);
	expect_file("work/z.csv", "1,2,3", 0644);
	expect_file("work/bin/tool", "echo hi", 0755);
	EXPECT_INT(read(stage_stdin_fd(fixture.stage), text, sizeof(text)), 5);
	EXPECT_STR(text, "1,2,3");
	files = stage_files(fixture.stage, &count);
	EXPECT_INT(count, 3);
	EXPECT(staged_file_find(files, count, "bin/tool") == &files[0]);
	EXPECT(staged_file_find(files, count, "bin") == NULL);
	tear_down(&fixture);
}

TEST(stamps_are_those_of_the_finished_files)
{
	struct tree_stamp stamp;
	struct stat status;
	struct fixture fixture;
	size_t count;

	set_up(&fixture, "{\"runtime\": \"bash\", \"script\": {\"name\": \"a.sh\","
			 " \"content\": \"true\"}}");
	stage(&fixture);
	EXPECT(stat("work/a.sh", &status) == 0);
	stamp = tree_stamp_of(&status);
	EXPECT(tree_stamp_equal(&stage_files(fixture.stage, &count)[0].stamp, &stamp));
	tear_down(&fixture);
}

/* A work directory that is not empty is no reason to write through what lies there. */
TEST(links_in_the_way_are_not_followed)
{
	struct fixture fixture;

	set_up(&fixture, "{\"runtime\": \"bash\", \"script\": {\"name\": \"d/a.sh\","
			 " \"content\": \"true\"}}");
	EXPECT(mkdir("outside", 0755) == 0);
	EXPECT(symlinkat("../outside", fixture.work_fd, "d") == 0);
	stage(&fixture);
	EXPECT_INT(fixture.outcome, OUTCOME_SYSTEM_ERROR);
	EXPECT(access("outside/a.sh", F_OK) != 0);
	tear_down(&fixture);
}

TEST(a_cache_of_another_boot_is_emptied)
{
	char hex[SHA256_HEX_BYTES];
	char path[256];
	struct fixture fixture;
	struct error err;

	seed_cache("old", hex);
	EXPECT_OK(fs_write_atomic("cache/boot_id", "another", 7, 0600, &err), err);
	set_up(&fixture, "{\"runtime\": \"bash\", \"script\": {\"name\": \"a.sh\","
			 " \"content\": \"true\"}}");
	(void)snprintf(path, sizeof(path), "cache/%s", hex);
	EXPECT(access(path, F_OK) != 0);
	tear_down(&fixture);
}
