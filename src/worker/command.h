/* The command line and environment of a job's process. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/job_spec.h"

struct command {
	const char **argv; /* NULL-terminated; partly borrowed from the spec */
	char **envp;	   /* NULL-terminated, owned */
	char *program;	   /* owned: what argv names the script */
};

struct command_identity {
	int64_t job_id;
	int64_t batch_id; /* 0: none */
	int32_t batch_index;
	int32_t attempt;
};

/* Interpreter, script, arguments verbatim; the job's own environment and RGRID_*. */
void command_init(struct command *command, const struct job_spec *spec,
		  const struct command_identity *identity);
void command_release(struct command *command);
#define cleanup_command command_release
