/* `rgrid doctor`: what is wrong with this deployment, and how to mend it.
 *
 * A check looks at one thing and changes nothing. Checks stand in tables, one file each, listed in
 * doctor.c; to add one, add a row. A check that cannot look (no token, no database) is skipped and
 * says why: what it would have found is unknown, not good. When one cause breaks several things,
 * the check that names the cause reports it and the others are skipped.
 *
 * What several checks need is looked at once and kept in struct doctor. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "conf/conf.h"
#include "core/network_plan.h"
#include "setup/env_file.h"

struct hetzner;
struct hetzner_location_list;
struct hetzner_server;
struct hetzner_server_type_list;
struct network_look;
struct pg;

enum finding_state { FINDING_OK = 1, FINDING_WARN, FINDING_BROKEN, FINDING_SKIPPED };

#define FINDING_EVIDENCE_BYTES 512
#define FINDING_FIX_BYTES      512

struct finding {
	enum finding_state state;
	char evidence[FINDING_EVIDENCE_BYTES]; /* what was seen; of a skipped check the reason */
	char fix[FINDING_FIX_BYTES];	       /* "" where there is nothing to do */
};

/* Each fills *ret with its state and evidence, and empties the fix. */
PRINTF_FORMAT(2, 3) void finding_ok(struct finding *ret, const char *format, ...);
PRINTF_FORMAT(2, 3) void finding_warn(struct finding *ret, const char *format, ...);
PRINTF_FORMAT(2, 3) void finding_broken(struct finding *ret, const char *format, ...);
PRINTF_FORMAT(2, 3) void finding_skipped(struct finding *ret, const char *format, ...);
/* What to do: a command where there is one. */
PRINTF_FORMAT(2, 3) void finding_fix(struct finding *finding, const char *format, ...);
const char *finding_state_name(enum finding_state state); /* "broken" */

struct doctor;

struct check {
	const char *id;	   /* "env-network-id": for scripts; unique, stays */
	const char *title; /* "network id in the environment": a few words, no full stop */
	void (*run)(struct doctor *doctor, struct finding *ret); /* fills it, always */
};

struct check_table {
	const char *name; /* "environment": the heading */
	const struct check *checks;
	size_t count;
};

/* The tables. */
extern const struct check_table doctor_environment;  /* doctor_environment.c */
extern const struct check_table doctor_api;	     /* doctor_api.c */
extern const struct check_table doctor_network;	     /* doctor_network.c */
extern const struct check_table doctor_choices;	     /* doctor_choices.c */
extern const struct check_table doctor_orchestrator; /* doctor_orchestrator.c */
extern const struct check_table doctor_fleet;	     /* doctor_fleet.c */
extern const struct check_table doctor_database;     /* doctor_database.c */

struct doctor_options {
	const struct conf *conf;
	const char *env_file;
	struct network_wish wish; /* the network as it should be */
	const char *server;	  /* --server: name or id; NULL: find out */
	const char *cluster;	  /* --cluster: PostgreSQL's; NULL: the only one */
	const char *pki_dir;	  /* --pki-dir; NULL: the default */
	bool network_needed;	  /* that there is no network is broken, whatever is configured */
	bool json;
};

/* What checks may ask (doctor_facts.c). The first call looks; later ones give the same answer. */
struct doctor *doctor_new(const struct doctor_options *options);
void doctor_free(struct doctor *doctor);
void cleanup_doctor(struct doctor **doctor);

const struct doctor_options *doctor_options(const struct doctor *doctor);
/* The environment file; unset values when there is none (*ret_exists, may be NULL). */
MUST_CHECK int doctor_env(struct doctor *doctor, const struct env_values **ret, bool *ret_exists,
			  struct error *err);
/* A parameter as the orchestrator has it: of the environment file, else as it is here. Appended. */
void doctor_setting(struct doctor *doctor, enum conf_param param, struct buf *out);
/* Whether the orchestrator is to order servers of Hetzner Cloud. */
bool doctor_orders_servers(struct doctor *doctor);
/* Whether it is told of no private network, but of an address at which workers reach the database
 * on the public side, which is appended. */
bool doctor_public_ip(struct doctor *doctor, struct buf *out);
/* The path of a file beside the environment file; to be freed. */
char *doctor_file_beside(const struct doctor *doctor, const char *name);
/* Where the provider's token is kept; to be freed. */
char *doctor_token_file(const struct doctor *doctor);
/* A connection, borrowed: to the database that is configured here, else as the orchestrator's
 * environment has it, else as the operator of a data directory. ERR_NOT_FOUND when there is none.
 */
MUST_CHECK int doctor_pg(struct doctor *doctor, struct pg **ret, struct error *err);
/* As doctor_pg, with this program's schema in it. False: *ret is a skip with the reason. */
bool doctor_need_schema(struct doctor *doctor, struct pg **ret_pg, struct finding *ret);
/* The client of the API, borrowed. ERR_UNAUTHENTICATED when there is no token. */
MUST_CHECK int doctor_hetzner(struct doctor *doctor, struct hetzner **ret, struct error *err);
/* The project's servers and networks. */
MUST_CHECK int doctor_look(struct doctor *doctor, const struct network_look **ret,
			   struct error *err);
/* As doctor_look; false when it fails, and *ret is a skip with the reason. */
bool doctor_need_look(struct doctor *doctor, const struct network_look **ret_look,
		      struct finding *ret);
/* The server that this machine is. */
MUST_CHECK int doctor_self(struct doctor *doctor, const struct hetzner_server **ret,
			   struct error *err);

/* What is sold, and where. Borrowed. */
struct doctor_catalog {
	const struct hetzner_server_type_list *types;
	const struct hetzner_location_list *locations;
};
MUST_CHECK int doctor_catalog(struct doctor *doctor, struct doctor_catalog *ret, struct error *err);
/* By the provider's clock where it is known: what it tells is of its own. */
int64_t doctor_provider_now_us(struct doctor *doctor);
/* *ret is a skip: the API did not answer, and why. */
void finding_skipped_api(struct finding *ret, const struct error *err);

/* Runs all tables. ERR_CONFLICT when something is broken. */
MUST_CHECK int doctor_run(const struct doctor_options *options, struct error *err);
/* Runs some of them. */
MUST_CHECK int doctor_run_tables(const struct doctor_options *options,
				 const struct check_table *const *tables, size_t count,
				 struct error *err);
