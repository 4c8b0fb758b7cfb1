/* What an ended job means to whoever waits for it: the exit code, a short line why, and a hint what
 * to do about it. */
#pragma once

#include <stdbool.h>

#include "base/json.h"
#include "cli/terminal.h"

#define EXIT_RGRID_FAILED 125
#define EXIT_SOME_FAILED  1

/* The exit code of `rgrid run`: the script's own, or the outcome's. */
int verdict_exit_code(const json_t *job);
/* For a job that failed: one line and, where something is known, one hint on stderr.
 * `stderr_tail` is the end of what the script wrote there; `arguments` are those after SCRIPT,
 * NULL-terminated, or NULL if it was not submitted here. */
void verdict_explain(struct terminal *terminal, const json_t *job, const char *stderr_tail,
		     const char *const *arguments);
/* Whether `argument` is an option of `rgrid run` that came too late. */
bool verdict_is_misplaced_option(const char *argument);
