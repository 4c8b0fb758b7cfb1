/* A model of a provider: servers by the hour, choices that sell out, a quota, answers that get
 * lost, listings that lag. Its clock is the world's, and does not jump. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/fault_kind.h"
#include "fleet/plant.h"
#include "fleet/prng.h"
#include "orchestrator/ports.h"

#define MODEL_CHOICES_MAX 3
#define MODEL_OMITTED_MAX 2 /* a listing may lack a server that often in a row */

/* Ids count from 1000, in the order of creation. */
struct model_server {
	int64_t worker_id; /* its label; 0: none */
	bool is_foreign;   /* of another grid */
	bool is_planted;   /* ours by its label, but nobody ordered it */
	bool is_builder;   /* … and an image was to be made of it */
	bool is_off;	   /* it has powered itself off */
	/* Deleted by somebody else before anybody could write down that it was there: it is billed,
	 * and no limit can know of it. */
	bool is_unknown;
	int64_t created_us;
	int64_t deleted_us;	/* 0: exists */
	int64_t ordered_us;	/* its first deletion: nothing is billed after the one that works */
	int64_t listed_from_us; /* listings lag */
	int64_t listed_until_us;
	uint32_t omitted; /* by listings, in a row */
	int64_t action_ends_us;
	bool action_fails;
	int64_t boots_us; /* when its worker starts; INT64_MAX: never */
	int64_t price_micros;
};

/* How likely what goes wrong; permille of the calls concerned. */
struct model_cloud_faults {
	uint64_t before;  /* no effect, and it is known */
	uint64_t partial; /* a listing ends with an error half way */
	uint64_t unknown; /* no effect, but nobody knows */
	uint64_t after;	  /* effect, but the answer is lost */
	uint64_t omits;	  /* a listing lacks a server */
	uint64_t lags;	  /* a change is listed late */
	uint64_t action_fails;
	uint64_t delete_fails; /* it is taken, and nothing happens */
	uint64_t slow_boot, no_boot;
};

struct model_cloud {
	const int64_t *clock_us;
	struct prng *prng;
	enum plant plant;
	struct model_cloud_faults faults;
	struct fault_counts *counts; /* may be NULL */
	struct model_server *servers;
	size_t server_count, server_capacity;
	struct fleet_choice choices[MODEL_CHOICES_MAX];
	bool sold_out[MODEL_CHOICES_MAX];
	bool withdrawn[MODEL_CHOICES_MAX];
	size_t choice_count;
	uint64_t quota;		/* servers at most */
	uint64_t network_limit; /* 0: no network */
	bool is_away;		/* answers nothing */
	bool foreign_touched;	/* must never be */
	/* Told after each change; may be NULL. */
	void *context;
	void (*created)(void *context, size_t server);
	void (*deleting)(void *context, size_t server);
};

void model_cloud_init(struct model_cloud *cloud, const int64_t *clock_us, struct prng *prng);
void model_cloud_release(struct model_cloud *cloud);
int64_t model_cloud_id(size_t server);
size_t model_cloud_add_server(struct model_cloud *cloud, int64_t worker_id);
/* Somebody else deletes it. */
void model_cloud_vanish(struct model_cloud *cloud, size_t server);
bool model_cloud_exists(const struct model_cloud *cloud, size_t server);
/* Servers of this grid that were ordered and exist. */
uint64_t model_cloud_count(const struct model_cloud *cloud);
/* What all of them have cost until then, started hours. Planted ones are not counted. */
int64_t model_cloud_bill(const struct model_cloud *cloud, int64_t until_us);

struct model_cloud_session {
	struct model_cloud *cloud;
	void *context;
	/* As those of struct model_session; an error of leave loses the answer. */
	int (*enter)(void *context, struct error *err);
	int (*leave)(void *context, struct error *err);
};
void model_cloud_port(struct model_cloud_session *session, struct fleet_cloud *ret);
