/* The steps of `rgrid db expose` and of its --undo. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "setup/db_expose.h"
#include "setup/pki.h"

#define DB_STEP_NOTE_BYTES 256

struct db_task {
	const struct db_expose_options *options;
	const char *pki_dir;
	struct pg_debian cluster;
	struct pg_in_force in_force; /* looked at again before each step */
	struct db_expose_paths paths;
	struct db_exposure exposure;
	struct pki_names names;
	char note[DB_STEP_NOTE_BYTES]; /* what the step is about, for the user */
};

struct db_step {
	const char *name;
	/* Whether there is something to do; fills task->note. */
	int (*look)(struct db_task *task, bool *ret_needed, struct error *err);
	int (*apply)(struct db_task *task, struct error *err);
};

extern const struct db_step db_expose_steps[];
extern const size_t db_expose_step_count;
extern const struct db_step db_undo_steps[];
extern const size_t db_undo_step_count;
