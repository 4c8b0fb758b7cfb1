#include "setup/service.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tap.h"

#define DEADLINE_MS 20000

struct bench {
	sd_event *event;
	struct log_file log;
	struct service service;
	bool stopped;
};

static void on_stopped(void *context, struct service *service)
{
	struct bench *bench = context;
	EXPECT(service == &bench->service);
	bench->stopped = true;
}

static void start(struct bench *bench, const char *const *argv)
{
	struct error err = {0};
	sigset_t signals;
	*bench = (struct bench){0};
	log_init("test", LOG_LEVEL_ERROR);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	EXPECT(sigprocmask(SIG_BLOCK, &signals, NULL) == 0);
	EXPECT(sd_event_new(&bench->event) >= 0);
	EXPECT_OK(log_file_open("log", 100000, &bench->log, &err), err);
	struct service_options options = {.name = "test",
					  .spawn = {.argv = argv, .stdin_fd = -1},
					  .event = bench->event,
					  .log = &bench->log,
					  .on_stopped = on_stopped,
					  .context = bench};
	EXPECT_OK(service_start(&bench->service, &options, &err), err);
}

static void finish(struct bench *bench)
{
	service_release(&bench->service);
	log_file_release(&bench->log);
	sd_event_unref(bench->event);
}

#define RUN_UNTIL(bench, condition)                                        \
	do {                                                               \
		uint64_t deadline_ms_ = clock_boottime_ms() + DEADLINE_MS; \
		while (!(condition)) {                                     \
			EXPECT(clock_boottime_ms() < deadline_ms_);        \
			EXPECT(sd_event_run((bench)->event, 20000) >= 0);  \
		}                                                          \
	} while (0)

TEST(one_that_is_killed_is_restarted)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	struct bench bench;
	start(&bench, argv);
	pid_t first = bench.service.pid;
	EXPECT(first > 0);
	EXPECT(kill(first, SIGKILL) == 0);
	RUN_UNTIL(&bench, bench.service.pid != 0 && bench.service.pid != first);
	finish(&bench);
	EXPECT(kill(first, 0) < 0);
}

TEST(one_that_keeps_dying_is_restarted_more_and_more_slowly)
{
	static const char *const argv[] = {"false", NULL};
	struct bench bench;
	start(&bench, argv);
	uint64_t begin_ms = clock_boottime_ms();
	/* At once, then after 100 and 200 ms. */
	RUN_UNTIL(&bench, bench.service.early_deaths >= 4);
	EXPECT(clock_boottime_ms() - begin_ms >= 300);
	finish(&bench);
}

TEST(its_output_is_in_the_log_and_its_last_line_known)
{
	static const char *const argv[] = {
		"sh", "-c", "echo first; echo last words >&2; exec sleep 1000", NULL};
	struct bench bench;
	start(&bench, argv);
	RUN_UNTIL(&bench, strcmp(bench.service.last_line, "last words") == 0);
	EXPECT_INT(bench.log.bytes, strlen("first\nlast words\n"));
	finish(&bench);
}

TEST(one_that_is_stopped_stays_stopped)
{
	static const char *const argv[] = {"sleep", "1000", NULL};
	struct bench bench;
	start(&bench, argv);
	service_stop(&bench.service, SIGTERM);
	RUN_UNTIL(&bench, bench.stopped);
	EXPECT_INT(bench.service.pid, 0);
	EXPECT(bench.service.restart_source == NULL);
	finish(&bench);
}

TEST(one_that_waits_for_its_restart_can_be_stopped)
{
	static const char *const argv[] = {"false", NULL};
	struct bench bench;
	start(&bench, argv);
	RUN_UNTIL(&bench, bench.service.early_deaths >= 3 && bench.service.pid == 0);
	service_stop(&bench.service, SIGTERM);
	EXPECT(bench.stopped);
	finish(&bench);
}

TEST(a_program_that_is_not_there_is_an_error)
{
	static const char *const argv[] = {"/nonexistent/program", NULL};
	struct bench bench = {0};
	struct error err = {0};
	EXPECT(sd_event_new(&bench.event) >= 0);
	struct service_options options = {.name = "test",
					  .spawn = {.argv = argv, .stdin_fd = -1},
					  .event = bench.event,
					  .log = &bench.log,
					  .on_stopped = on_stopped,
					  .context = &bench};
	EXPECT_ERR(service_start(&bench.service, &options, &err), err, err.code);
	EXPECT(strstr(err.msg, "/nonexistent/program") != NULL);
	sd_event_unref(bench.event);
}
