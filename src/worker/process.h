/* A job's process in its sandbox: its pipes, its time limit, its end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "sandbox/sandbox.h"
#include "worker/tree.h"

struct process;

struct process_ending {
	struct sandbox_result result;
	bool timed_out;
	uint64_t run_us;
};

struct process_options {
	sd_event *event;
	struct sandbox *sandbox;
	size_t slot;
	const struct sandbox_run *run; /* stdout_fd and stderr_fd are filled in here; borrowed */
	struct tree_owner owner;       /* may open the pipes by name (/dev/stdout) */
	void *context;
	/* Reaped, stragglers killed, accounts read. The process may be freed in it. */
	void (*on_ended)(void *context, const struct process_ending *ending);
};

/* The read ends of its output, non-blocking, are the caller's. Errors as of sandbox_start. */
MUST_CHECK int process_start(const struct process_options *options, struct process **ret,
			     int *ret_stdout_fd, int *ret_stderr_fd, struct error *err);
/* At once; on_ended follows. */
void process_kill(struct process *process);
/* One that has not ended is killed and waited for, without on_ended. NULL is fine. */
void process_free(struct process *process);
