#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <pty.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "tap.h"

/* From here on stderr is the file "log". */
static void log_to_file(enum log_level least)
{
	int fd = open("log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	EXPECT(fd >= 0);
	EXPECT(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
	close(fd);
	log_init("test", least);
}

static char *logged(void)
{
	struct buf out;
	struct error err;

	buf_init(&out, 1 << 20);
	EXPECT_OK(fs_read(AT_FDCWD, "log", &out, &err), err);
	return buf_detach(&out);
}

/* The one line that was logged, as JSON. */
static json_t *logged_json(void)
{
	CLEANUP(cleanup_free) char *text = logged();
	json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (line == NULL)
		tap_fail(__FILE__, __LINE__, "not one line of JSON: %s", text);
	EXPECT(strchr(text, '\n') == text + strlen(text) - 1);
	return line;
}

static const char *member(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text != NULL ? text : "(none)";
}

TEST(log_json_line)
{
	log_to_file(LOG_LEVEL_INFO);
	log_info("job.claimed", F_STR("job", "j1"), F_INT("attempt", -3), F_STR("none", NULL));
	json_t *line = logged_json();

	EXPECT_STR(member(line, "level"), "info");
	EXPECT_STR(member(line, "program"), "test");
	EXPECT_STR(member(line, "event"), "job.claimed");
	EXPECT_STR(member(line, "job"), "j1");
	EXPECT_INT(json_integer_value(json_object_get(line, "attempt")), -3);
	EXPECT(json_is_null(json_object_get(line, "none")));
	EXPECT_INT(strlen(member(line, "time")), strlen("2026-11-23T18:53:21.042Z"));
	json_decref(line);
}

TEST(log_without_fields)
{
	log_to_file(LOG_LEVEL_INFO);
	log_error("lost");
	json_t *line = logged_json();

	EXPECT_STR(member(line, "event"), "lost");
	EXPECT_INT(json_object_size(line), 4);
	json_decref(line);
}

TEST(log_least_level)
{
	log_to_file(LOG_LEVEL_WARNING);
	log_debug("no");
	log_info("no");
	log_warning("yes");
	json_t *line = logged_json();

	EXPECT_STR(member(line, "event"), "yes");
	json_decref(line);
}

TEST(log_escapes_hostile_text)
{
	static const char hostile[] = "a\"b\\c\n\t\x1b[31m\x7f\xc2\x9b\xff \xc3\xa4 \xed\xa0\x80";

	log_to_file(LOG_LEVEL_INFO);
	log_info("e", F_STR("text", hostile));
	CLEANUP(cleanup_free) char *text = logged();
	json_t *line = logged_json();

	for (const char *c = text; c[1] != '\0'; c++)
		EXPECT((unsigned char)*c >= 0x20 && *c != 0x7f);
	EXPECT(strstr(text, "\xc2\x9b") == NULL);
	EXPECT(str_has_prefix(member(line, "text"), "a\"b\\c\n\t\x1b[31m\x7f"));
	EXPECT(strstr(member(line, "text"), " \xc3\xa4 ") != NULL);
	json_decref(line);
}

TEST(log_cuts_long_values)
{
	static char huge[100000];

	memset(huge, 'x', sizeof(huge) - 1);
	log_to_file(LOG_LEVEL_INFO);
	log_info("e", F_STR("text", huge), F_STR("after", "kept"));
	json_t *line = logged_json();

	EXPECT_INT(strlen(member(line, "text")), 2048);
	EXPECT_STR(member(line, "after"), "kept");
	json_decref(line);
}

TEST(log_leaves_out_what_does_not_fit_and_says_so)
{
	static char huge[3000];

	memset(huge, '\x01', sizeof(huge) - 1); /* six bytes each when escaped */
	log_to_file(LOG_LEVEL_INFO);
	log_info("e", F_STR("a", huge), F_STR("b", huge), F_STR("c", "fits"));
	json_t *line = logged_json();

	EXPECT_INT(strlen(member(line, "a")), 2048);
	EXPECT_STR(member(line, "b"), "(none)");
	EXPECT_STR(member(line, "c"), "fits");
	EXPECT(json_is_true(json_object_get(line, "truncated")));
	json_decref(line);
}

TEST(log_secret_shows_only_its_length)
{
	log_to_file(LOG_LEVEL_INFO);
	log_info("e", F_SECRET("token", "hunter2"), F_SECRET("none", NULL));
	CLEANUP(cleanup_free) char *text = logged();
	json_t *line = logged_json();

	EXPECT(strstr(text, "hunter2") == NULL);
	EXPECT_STR(member(line, "token"), "(7 bytes)");
	EXPECT_STR(member(line, "none"), "(0 bytes)");
	json_decref(line);
}

TEST(log_error_fields)
{
	struct error err;

	error_set(&err, ERR_CONFLICT, "taken");
	log_to_file(LOG_LEVEL_INFO);
	log_warning("e", F_ERROR(&err));
	json_t *line = logged_json();

	EXPECT_STR(member(line, "error"), "taken");
	EXPECT_STR(member(line, "code"), "conflict");
	json_decref(line);
}

TEST(log_context_is_added_replaced_and_removed)
{
	log_to_file(LOG_LEVEL_INFO);
	for (int i = 0; i < 10; i++) {
		log_context_set("request", "r0");
		log_context_set("request", NULL);
	}
	log_context_set("request", "r1");
	log_context_set("job", "j1");
	log_context_set("request", "r2");
	log_context_set("gone", "x");
	log_context_set("gone", NULL);
	log_context_set("never", NULL);
	log_info("e");
	json_t *line = logged_json();

	EXPECT_STR(member(line, "request"), "r2");
	EXPECT_STR(member(line, "job"), "j1");
	EXPECT_INT(json_object_size(line), 6);
	json_decref(line);
}

TEST(log_keeps_errno)
{
	log_to_file(LOG_LEVEL_INFO);
	close(STDERR_FILENO);
	errno = ENOENT;
	log_info("e");
	EXPECT_INT(errno, ENOENT);
}

static void *log_many(void *context)
{
	log_context_set("thread", context);
	for (int i = 0; i < 500; i++)
		log_info("event.of.thread", F_STR("thread_again", context));
	return NULL;
}

TEST(log_lines_of_threads_do_not_mix)
{
	static char names[4][2] = {"0", "1", "2", "3"};
	pthread_t threads[4];
	int lines = 0;

	log_to_file(LOG_LEVEL_INFO);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		EXPECT(pthread_create(&threads[i], NULL, log_many, names[i]) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		EXPECT(pthread_join(threads[i], NULL) == 0);
	CLEANUP(cleanup_free) char *text = logged();

	for (const char *next = text; *next != '\0'; lines++) {
		const char *end = strchr(next, '\n');
		json_t *line = json_loadb(next, (size_t)(end - next), 0, NULL);

		EXPECT(line != NULL);
		EXPECT_STR(member(line, "thread"), member(line, "thread_again"));
		json_decref(line);
		next = end + 1;
	}
	EXPECT_INT(lines, 2000);
}

TEST(log_journal_prefix)
{
	struct stat found;
	char stream[64];

	log_to_file(LOG_LEVEL_DEBUG);
	EXPECT(fstat(STDERR_FILENO, &found) == 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)found.st_dev,
		       (unsigned long long)found.st_ino);
	EXPECT(setenv("JOURNAL_STREAM", stream, 1) == 0);
	log_init("test", LOG_LEVEL_DEBUG);
	log_debug("d");
	log_info("i");
	log_warning("w");
	log_error("e");
	EXPECT(setenv("JOURNAL_STREAM", "1:2", 1) == 0);
	log_init("test", LOG_LEVEL_DEBUG);
	log_error("plain");
	CLEANUP(cleanup_free) char *text = logged();

	EXPECT(str_has_prefix(text, "<7>{"));
	EXPECT(strstr(text, "\n<6>{") != NULL);
	EXPECT(strstr(text, "\n<4>{") != NULL);
	EXPECT(strstr(text, "\n<3>{") != NULL);
	EXPECT(strstr(text, "\n{") != NULL);
}

TEST(log_logfmt_on_a_terminal)
{
	int ours;
	int theirs;
	char line[500];

	EXPECT(openpty(&ours, &theirs, NULL, NULL, NULL) == 0);
	EXPECT(dup2(theirs, STDERR_FILENO) == STDERR_FILENO);
	log_init("test", LOG_LEVEL_INFO);
	log_context_set("request", "r1");
	log_info("e", F_STR("bare", "a/b:c"), F_STR("quoted", "a b"), F_STR("empty", ""),
		 F_STR("equals", "a=b"), F_STR("escape", "\x1b[2J"), F_INT("n", 7));
	ssize_t got = read(ours, line, sizeof(line) - 1);

	EXPECT(got > 0);
	line[got] = '\0';
	EXPECT(str_has_prefix(line, "time=20"));
	EXPECT_STR(strstr(line, " level="),
		   " level=info program=test event=e request=r1 bare=a/b:c quoted=\"a b\" "
		   "empty=\"\" equals=\"a=b\" escape=\"\\u001b[2J\" n=7\r\n");
}

TEST(log_level_names)
{
	enum log_level level = LOG_LEVEL_INFO;
	struct error err;

	EXPECT_OK(log_level_parse("debug", &level, &err), err);
	EXPECT_INT(level, LOG_LEVEL_DEBUG);
	EXPECT_OK(log_level_parse("error", &level, &err), err);
	EXPECT_INT(level, LOG_LEVEL_ERROR);
	EXPECT_ERR(log_level_parse("loud", &level, &err), err, ERR_INVALID);
	EXPECT_ERR(log_level_parse("", &level, &err), err, ERR_INVALID);
	EXPECT_INT(level, LOG_LEVEL_ERROR);
}
