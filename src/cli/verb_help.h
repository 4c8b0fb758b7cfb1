/* The list of verbs, as `rgrid help` and a bare `rgrid` print it. */
#pragma once

#include "cli/terminal.h"

/* To STDOUT_FILENO or STDERR_FILENO. */
MUST_CHECK int verb_list_print(const struct terminal *terminal, int fd, struct error *err);
