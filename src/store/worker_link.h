/* The worker's line to PostgreSQL: one libpq connection in an sd-event loop, non-blocking, in
 * pipeline mode, able to do nothing but call the functions of schema rg_worker. Calls are sent in
 * order; those issued in one turn of the loop share one round trip and one commit (one implicit
 * transaction up to the next sync). Parameters and results are binary.
 *
 * A connection that is lost fails all calls in flight with ERR_UNAVAILABLE (their effect is
 * unknown: all calls are idempotent by token, so the worker sends them again), then reconnects by
 * itself with jittered backoff and calls on_up. Wake-ups (LISTEN rg_wake, rg_kill) arrive as
 * on_wake, on_kill. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "core/job.h"

struct worker_link;

struct lease_id {
	int64_t job_id;
	int32_t attempt;
	int64_t token;
};

struct worker_claim {
	struct lease_id lease;
	int64_t batch_id; /* 0: none */
	int32_t batch_index;
	const char *spec; /* JSON, borrowed for the callback */
	size_t spec_bytes;
};

struct worker_completion {
	struct lease_id lease;
	enum outcome outcome;
	int exit_code;	     /* -1: none */
	const char *message; /* or NULL */
	bool started;
	uint64_t run_us; /* wall time from start to end, on this machine's clock */
	uint64_t cpu_us;
	uint64_t memory_peak_bytes;
	uint64_t stdout_bytes;
	uint64_t stderr_bytes;
	const char *unenforced; /* names joined by ',' ("memory,pids"), or "" */
};

enum worker_verdict {
	VERDICT_RECORDED = 1, /* this call did it */
	VERDICT_ALREADY = 2,  /* an earlier sending of the same had done it */
	VERDICT_LOST = 3,     /* the lease is no longer ours: stop, throw the result away */
};

/* What a worker hears that wants to leave. */
enum worker_leaving {
	LEAVING_DONE = 1, /* it has left */
	LEAVING_STAY = 2, /* it drains no more: claim again */
	LEAVING_WAIT = 3, /* it drains, and may be needed yet: ask again later */
};

struct worker_join {
	size_t slots;
	uint64_t cpu_millis;
	uint64_t memory_bytes;
	const char *hostname;
	const char *version;
	const char *const *unenforced; /* NULL-terminated names */
	uint8_t blob_key_sha256[32];
};

struct worker_log_chunk {
	struct lease_id lease;
	int32_t seq;
	enum log_stream stream;
	uint64_t start;
	const void *data; /* copied by the call */
	size_t bytes;
};

struct worker_artifact {
	const char *path;
	uint8_t blob[32];
	uint64_t size_bytes;
	bool executable;
};

/* Every answer comes as a callback; on failure err is set and the other arguments are empty.
 * ERR_FORBIDDEN means that this worker is no longer known as alive (dead, terminated, or a later
 * incarnation has joined): it kills all jobs, then joins anew. */
typedef void (*worker_joined_fn)(void *context, int64_t worker_id, int32_t incarnation,
				 const struct error *err);
typedef void (*worker_stepped_fn)(void *context, const enum worker_verdict *verdicts,
				  size_t verdict_count, const struct worker_claim *claims,
				  size_t claim_count, const struct error *err);
typedef void (*worker_verdict_fn)(void *context, enum worker_verdict verdict,
				  const struct error *err);
typedef void (*worker_left_fn)(void *context, enum worker_leaving leaving, const struct error *err);
/* Jobs to stop: `cancelled` says by wish (else the lease is not ours). `drain`: claim no more. */
struct worker_kill {
	int64_t job_id;
	int32_t attempt;
	bool cancelled;
};
typedef void (*worker_beaten_fn)(void *context, const struct worker_kill *kills, size_t kill_count,
				 bool drain, const struct error *err);

struct worker_link_options {
	sd_event *event;
	const char *conninfo;
	void *context;		      /* given to every callback below */
	void (*on_up)(void *context); /* connected, LISTENing: join or go on */
	/* Also of each attempt to come back that fails; ERR_UNAUTHENTICATED: the database answers,
	 * but refuses the login. */
	void (*on_down)(void *context, const struct error *err);
	void (*on_wake)(void *context); /* jobs may be waiting */
	void (*on_kill)(void *context); /* somebody wants something of us: beat now */
};

MUST_CHECK int worker_link_new(const struct worker_link_options *options, struct worker_link **ret,
			       struct error *err);
void worker_link_free(struct worker_link *link); /* fails what is in flight, without callbacks */
bool worker_link_is_up(const struct worker_link *link);
/* The number of the group that the next call joins: calls issued under one number, but for
 * heartbeats and joins, commit together or not at all. */
uint64_t worker_link_group(const struct worker_link *link);

void worker_link_join(struct worker_link *link, const struct worker_join *join,
		      worker_joined_fn callback, void *context);
void worker_link_step(struct worker_link *link, const struct worker_completion *completions,
		      size_t count, size_t want, worker_stepped_fn callback, void *context);
void worker_link_heartbeat(struct worker_link *link, const struct lease_id *held, size_t count,
			   worker_beaten_fn callback, void *context);
void worker_link_log(struct worker_link *link, const struct worker_log_chunk *chunk,
		     worker_verdict_fn callback, void *context);
void worker_link_artifacts(struct worker_link *link, const struct lease_id *lease,
			   const struct worker_artifact *artifacts, size_t count,
			   worker_verdict_fn callback, void *context);
/* Gives back attempts that were claimed but not started; they are ready again with the same number.
 */
void worker_link_release(struct worker_link *link, const struct lease_id *leases, size_t count,
			 worker_verdict_fn callback, void *context);
/* if_drained: unless the fleet has thought better of it; else the answer is LEAVING_DONE. */
void worker_link_leave(struct worker_link *link, const char *reason, bool if_drained,
		       worker_left_fn callback, void *context);
