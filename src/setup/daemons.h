/* The three processes that `rgrid up` keeps: PostgreSQL, the API, the orchestrator (which keeps the
 * workers). Started one after the other, restarted when they die, stopped in reverse order: first
 * the orchestrator, which lets running jobs end, then the API, then PostgreSQL.
 *
 * Everything happens inside daemons_wait. Not to be moved once initialised. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "setup/data_dir.h"
#include "setup/log_file.h"
#include "setup/service.h"

enum daemon { DAEMON_POSTGRES, DAEMON_API, DAEMON_ORCHESTRATOR, DAEMON_COUNT };

struct daemons_options {
	const struct data_dir *dir;
	uint64_t log_bytes_max;
	uint64_t drain_timeout_ms; /* how long the orchestrator may take for running jobs */
	bool verbose;		   /* their output to our stderr as well */
};

struct daemons {
	struct daemons_options options;
	sd_event *event;
	sd_event_source *patience; /* ends while stopping */
	struct log_file logs[DAEMON_COUNT];
	struct service services[DAEMON_COUNT];
	bool started[DAEMON_COUNT];
	bool stopping;
	bool hurry;	    /* a second signal */
	bool ended;	    /* all have stopped */
	bool lost_patience; /* with the one being stopped */
	unsigned orphan_polls;
};

/* SIGINT and SIGTERM stop everything in order from now on; a second one at once. */
MUST_CHECK int daemons_init(struct daemons *daemons, const struct daemons_options *options,
			    struct error *err);
/* Kills what still runs. */
void daemons_release(struct daemons *daemons);
#define cleanup_daemons daemons_release

/* `spawn` and what it points to must live as long as the daemons. */
MUST_CHECK int daemons_start(struct daemons *daemons, enum daemon which,
			     const struct spawn_options *spawn, struct error *err);

/* Supervises until ready(context) (NULL: for ever) or until all have ended after a signal
 * (daemons->ended). ERR_TIMEOUT after timeout_ms (0: never), ERR_UNAVAILABLE when one of them dies
 * again and again before: with its last words. */
MUST_CHECK int daemons_wait(struct daemons *daemons, bool (*ready)(void *context), void *context,
			    uint64_t timeout_ms, struct error *err);
