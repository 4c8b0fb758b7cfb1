/* One child process that has to be there: started, its output written to a log of bounded size,
 * restarted when it dies, stopped in order. A death after a long life is answered at once; early
 * deaths wait longer each time (100 ms doubling to 5 s).
 *
 * The child dies with us (PDEATHSIG) and is in a process group of its own, so that Ctrl-C reaches
 * the supervisor only. Runs in an sd-event loop; not copied or moved while started. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/spawn.h"
#include "setup/log_file.h"

#define SERVICE_LINE_BYTES 400

struct service;
typedef void (*service_fn)(void *context, struct service *service);

struct service_options {
	const char *name;	    /* for messages */
	struct spawn_options spawn; /* stdout_fd and stderr_fd are ours; all borrowed for good */
	sd_event *event;
	struct log_file *log; /* borrowed */
	bool verbose;	      /* also to our stderr */
	bool (*may_start)(
		void *context); /* or NULL; asked before a restart, again after 20 ms if false */
	service_fn on_stopped;	/* after service_stop, when it has ended */
	void *context;
};

struct service {
	struct service_options options;
	pid_t pid; /* 0: not running */
	bool stopping;
	unsigned early_deaths; /* in a row */
	uint64_t started_ms;   /* CLOCK_BOOTTIME */
	int output_fd;	       /* read end of its stdout and stderr */
	sd_event_source *child_source;
	sd_event_source *output_source;
	sd_event_source *restart_source;
	char last_line[SERVICE_LINE_BYTES]; /* of its output, for messages */
	size_t line_bytes;
	char line[SERVICE_LINE_BYTES];
};

MUST_CHECK int service_start(struct service *service, const struct service_options *options,
			     struct error *err);
/* Sends a signal and wants no restart; on_stopped follows (at once when it is not running). */
void service_stop(struct service *service, int signal);
/* Kills without ceremony, waits for the end, drops all. For a service never started it does
 * nothing. */
void service_release(struct service *service);
