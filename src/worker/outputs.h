/* An ended attempt's outputs on their way: collected from the work directory, uploaded to the blob
 * store, then named to the database, all of them in one call. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "store/worker_link.h"
#include "worker/stage.h"
#include "worker/transfer.h"

struct outputs;

struct outputs_options {
	sd_event *event;
	struct worker_link *link;
	struct transfers *transfers;
	struct lease_id lease;
	int work_fd; /* borrowed until on_uploaded */
	const struct staged_file *staged;
	size_t staged_count;
	uint64_t bytes_max;
	void *context;
	void (*say)(void *context, const char *text);
	/* All blobs are stored, or (err) one could not be. The work directory is no longer needed.
	 */
	void (*on_uploaded)(void *context, const struct error *err);
	/* The answer to outputs_send came: acknowledged, or (err) to be sent again. */
	void (*on_sent)(void *context, const struct error *err);
	void (*on_lost)(void *context); /* the lease is gone */
};

/* Starts collecting at once. */
struct outputs *outputs_new(const struct outputs_options *options);
void outputs_free(struct outputs *outputs);
/* Stops collecting and uploading, without on_uploaded; nothing will be sent. */
void outputs_abandon(struct outputs *outputs);
/* Names them to the database, if that is still to be done. True when they are acknowledged, or go
 * with the link's open group, or there are none. */
bool outputs_send(struct outputs *outputs);
/* No answer of the link is outstanding. */
bool outputs_is_idle(const struct outputs *outputs);
