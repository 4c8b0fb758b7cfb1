/* SQL files of sql/, embedded at build time by tools/sql-embed.awk. Each array is in the order in
 * which the files are to be run and ends with a NULL name. Used by the migration only. */
#pragma once

#include <stddef.h>

struct sql_file {
	const char *name; /* without directory and suffix: "0001_init" */
	const char *sql;
};

extern const struct sql_file sql_schema[];    /* numbered, run once each, as rgrid_owner */
extern const struct sql_file sql_functions[]; /* run by every migration, as rgrid_owner */
extern const struct sql_file sql_before[];    /* roles: run first, as whoever migrates */
extern const struct sql_file sql_after[];     /* rights on the database: run last, likewise */
