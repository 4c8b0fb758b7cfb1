/* The steps of `rgrid server setup`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/api_key.h"
#include "setup/pg_debian.h"
#include "setup/pki.h"
#include "setup/server_setup.h"

#define SERVER_NOTE_BYTES      512
#define SERVER_ADDRESS_BYTES   64
#define SERVER_LISTEN_BYTES    256
#define SERVER_UNIT_API	       "rgrid-api.service"
#define SERVER_UNIT_WORKERS    "rgrid-api-workers.service"
#define SERVER_LISTEN_VARIABLE "RGRID_LISTEN"
#define SERVER_CA_FILE	       PKI_DIRECTORY_DEFAULT "/ca.crt"

struct server_task {
	const struct server_setup_options *options;
	struct pg_debian cluster;
	char ip[SERVER_ADDRESS_BYTES];
	char listen[SERVER_LISTEN_BYTES]; /* "127.0.0.1:8000": of the API for users */
	bool has_user;			  /* and its group; with uid and gid */
	uid_t uid;
	gid_t gid;
	bool has_units;		      /* of systemd, which runs */
	bool as_before;		      /* set by apply: what it made was there already */
	char key[API_KEY_BYTES];      /* that was made; "": none */
	bool key_is_printed;	      /* at the end, once; else it is in the file */
	char note[SERVER_NOTE_BYTES]; /* what the step is about, for the user */
};

struct server_step {
	const char *name;
	/* Whether there is something to do; fills task->note. In a dry run what the steps before
	 * would make may be missing. */
	int (*look)(struct server_task *task, bool *ret_needed, struct error *err);
	int (*apply)(struct server_task *task, struct error *err);
};

PRINTF_FORMAT(2, 3) void server_note(struct server_task *task, const char *format, ...);
/* Where tests let the process kill itself, by DB_EXPOSE_DIE_VARIABLE; each step's name is one. */
void server_moment(const char *name);
/* Looks the user up. */
void server_find_user(struct server_task *task);
/* Whether the file is root:rgrid 0640, or, of the orchestrator, whose login the API must not have,
 * root:root 0600: systemd reads it as root. Makes it so. */
bool server_env_is_ours(const struct server_task *task, const char *path);
MUST_CHECK int server_env_own(const struct server_task *task, const char *path, struct error *err);
/* "http://127.0.0.1:8000", where users of this machine reach the API; to be freed. */
char *server_api_url(const struct server_task *task);
/* The commands that start the daemons without systemd, a line each; to be freed. */
char *server_commands(const struct server_task *task);

/* server_database.c */
int server_look_database(struct server_task *task, bool *ret_needed, struct error *err);
int server_apply_database(struct server_task *task, struct error *err);
int server_look_schema(struct server_task *task, bool *ret_needed, struct error *err);
int server_apply_schema(struct server_task *task, struct error *err);
int server_look_api_login(struct server_task *task, bool *ret_needed, struct error *err);
int server_apply_api_login(struct server_task *task, struct error *err);
int server_look_orchestrator_login(struct server_task *task, bool *ret_needed, struct error *err);
int server_apply_orchestrator_login(struct server_task *task, struct error *err);
/* server_key.c */
int server_look_key(struct server_task *task, bool *ret_needed, struct error *err);
int server_apply_key(struct server_task *task, struct error *err);
/* To be called when the user has seen the key: it is kept no longer. */
MUST_CHECK int server_key_shown(struct error *err);
/* ERR_CONFLICT when the user's file has address and key of another grid. */
MUST_CHECK int server_check_user_file(const struct server_task *task, struct error *err);
/* server_check.c: whether there is anything that no step can mend. */
MUST_CHECK int server_check(const struct server_task *task, struct error *err);
/* server_units.c */
bool server_have_units(void);
bool server_unit_runs(const char *unit);
int server_look_units(struct server_task *task, bool *ret_needed, struct error *err);
int server_apply_units(struct server_task *task, struct error *err);

extern const struct server_step server_steps[];
extern const size_t server_step_count;
