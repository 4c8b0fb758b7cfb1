/* A job watched live: its output as it comes, byte for byte, until it ends. The stream may break (a
 * network, a restarted server): it is taken up again after the last event, and the byte offsets in
 * the events make sure that nothing is lost or shown twice. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/api_client.h"
#include "cli/spending.h"
#include "cli/terminal.h"

#define FOLLOW_TAIL_BYTES 8192

struct follow_options {
	const char *job_id;
	const char *query; /* further parameters of the first request ("&tail=10"), or NULL */
	int stdout_fd;	   /* where each stream goes; -1: nowhere */
	int stderr_fd;
	bool shows_state;	   /* why it waits, on a terminal, until there is output */
	struct spending *spending; /* with shows_state: what the user knows of the limit */
};

struct follow_result {
	json_t *job;		/* as it ended; NULL if interrupted before */
	struct buf stderr_tail; /* the last bytes of stderr, for hints */
};
void follow_result_release(struct follow_result *result);
#define cleanup_follow_result follow_result_release

/* 0: the job ended, or the user interrupted (see interrupt.h). ERR_UNAVAILABLE when the server
 * stayed away; terminal_reader_gone when stdout was closed. */
MUST_CHECK int follow_job(const struct follow_options *options, struct api_client *api,
			  struct terminal *terminal, struct follow_result *ret, struct error *err);
