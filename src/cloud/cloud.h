/* Where workers' machines come from. The one provider so far is "local": a machine is an
 * rgrid-worker process of this host, a child of ours that dies with us, watched by the sd-event
 * loop.
 *
 * A machine is named by the id of its worker. The caller writes the worker's row before it asks for
 * a machine, and treats a worker without a machine as ended: so nothing here has to survive a
 * crash. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "core/limits.h"

#define CLOUD_MACHINES_MAX ((size_t)LIMIT_WORKERS * 2) /* those that drain and their successors */

struct cloud;

/* How a machine came to its end. */
struct cloud_end {
	int64_t worker_id;
	uint64_t lived_ms;
	bool in_order;	    /* the worker ended by itself, without an error */
	const char *reason; /* in words */
};

struct cloud_options {
	sd_event *event;
	const char *worker_program; /* path of rgrid-worker */
	const char *directory; /* for workers' state, one subdirectory for each; used again, so that
				* a successor clears what a killed worker left, and inherits its
				* cache */
	const char *api_url;
	void (*on_end)(void *context, const struct cloud_end *end);
	void *context;
};

struct cloud_machine {
	int64_t worker_id;
	const char *name; /* of the worker */
	uint64_t slots;
	const char *const
		*environment; /* NULL-terminated; with RGRID_WORKER_DATABASE, its own login */
};

/* Strings of the options are borrowed for the cloud's life. */
MUST_CHECK int cloud_new_local(const struct cloud_options *options, struct cloud **ret,
			       struct error *err);
/* Kills the machines that are left, without on_end. */
void cloud_free(struct cloud *cloud);

MUST_CHECK int cloud_create(struct cloud *cloud, const struct cloud_machine *machine,
			    struct error *err);
size_t cloud_count(const struct cloud *cloud);
/* Calls back for every machine; started_us is wall time. */
void cloud_each(const struct cloud *cloud,
		void (*each)(void *context, int64_t worker_id, int64_t started_us), void *context);
/* Asks the machine to end when its work is done. Unknown ids are fine. */
void cloud_shut_down(struct cloud *cloud, int64_t worker_id);
void cloud_shut_down_all(struct cloud *cloud);
/* Asks all to end now: they kill their jobs and give them back. */
void cloud_hurry_all(struct cloud *cloud);
/* Ends it now. on_end follows. */
void cloud_delete(struct cloud *cloud, int64_t worker_id);
void cloud_delete_all(struct cloud *cloud);
