/* A model of PostgreSQL as the fleet sees it: workers' rows, the queue with its leases and gates,
 * coolings, the ledger, the lead. It keeps what the real store promises (orchestrator/ports.h,
 * sql/functions), which fleet/conformance.h checks of both. Its clock is the simulation's, and may
 * jump. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/fault_kind.h"
#include "fleet/model_queue.h"
#include "fleet/plant.h"
#include "orchestrator/ports.h"

#define MODEL_LEAD_US	 INT64_C(60000000) /* a lead that is not renewed ends */
#define MODEL_UNNAMED_US INT64_C(15000000) /* then an unnamed lease is given back */
#define MODEL_FORGET_US	 INT64_C(3600000000)

/* enum worker_leaving of src/store/worker_link.h */
enum model_leaving { MODEL_LEFT = 1, MODEL_STAY, MODEL_WAIT };

enum model_wish {
	MODEL_GO_ON = 1,
	MODEL_STOP,   /* it is not the worker's any more */
	MODEL_CANCEL, /* somebody wants it to end */
};

/* Ids of workers count from 1, in the order of rows. */
struct model_row {
	struct fleet_worker worker;
	char name[FLEET_SERVER_NAME_BYTES];
	struct fleet_pending pending;
	int64_t last_seen_us;
	int64_t ended_us;
	uint32_t incarnation;
	bool is_gone; /* its server, for certain: not listed any more */
};

struct model_store {
	const int64_t *clock_us;
	int64_t clock_jump_us; /* the database's clock minus the world's */
	enum plant plant;
	struct fault_counts *faults; /* may be NULL */
	struct model_row *rows;
	size_t row_count, row_capacity, rows_closed; /* all before are closed */
	struct model_queue queue;
	struct fleet_cooling coolings[FLEET_COOLINGS_MAX];
	size_t cooling_count;
	int64_t quota_until_us;
	bool is_paused;
	int64_t booked_micros;
	uint64_t booked_hours;
	uint64_t leader;     /* session; 0: nobody yet */
	bool leader_is_gone; /* its session; it may come back, if nobody is faster */
	int64_t fence;
	int64_t lead_until_us;
	uint64_t fenced_changes; /* how many were let through */
	int64_t up_since_us;	 /* rescue waits one TTL after a restart */
};

void model_store_init(struct model_store *store, const int64_t *clock_us);
void model_store_release(struct model_store *store);
int64_t model_store_now(const struct model_store *store);

/* It is up again from then on: sessions are gone, and silence is measured anew. */
void model_store_restart(struct model_store *store, int64_t up_us);
/* The session of an orchestrator ends: the lead, if it had that, is free. */
void model_store_hang_up(struct model_store *store, uint64_t session);

/* What workers do: functions of schema rg_worker. -1: the worker was given up, or has ended, or
 * this is not its incarnation. */
MUST_CHECK int model_store_join(struct model_store *store, int64_t worker_id, uint32_t slots,
				uint32_t *ret_incarnation);
/* This and the next are parts of rg_worker.step, in this order. */
MUST_CHECK int model_store_complete(struct model_store *store, int64_t worker_id,
				    uint32_t incarnation, const struct model_lease *lease,
				    bool is_cancelled, enum model_verdict *ret_verdict);
MUST_CHECK int model_store_claim(struct model_store *store, int64_t worker_id, uint32_t incarnation,
				 size_t want, struct model_lease *ret_leases, size_t *ret_count);
/* Claimed, and not started: ready again. What is not the worker's any more is left alone. */
MUST_CHECK int model_store_give_back(struct model_store *store, int64_t worker_id,
				     uint32_t incarnation, const struct model_lease *lease);
/* leases: what the worker holds; ret_wishes: what is to become of each. ret_drain: claim no more.
 */
MUST_CHECK int model_store_heartbeat(struct model_store *store, int64_t worker_id,
				     uint32_t incarnation, const struct model_lease *leases,
				     size_t count, enum model_wish *ret_wishes, bool *ret_drain);
/* A worker that was told to drain, and is empty, asks to leave: rg_worker.leave(…, true). */
MUST_CHECK int model_store_leave(struct model_store *store, int64_t worker_id, uint32_t incarnation,
				 enum model_leaving *ret_leaving);

/* An operator wants it to drain: the fleet does not take that back. Ignored for the ended. */
void model_store_operator_drain(struct model_store *store, int64_t worker_id);
/* Or takes it back, whoever drained it. */
void model_store_operator_undrain(struct model_store *store, int64_t worker_id);

/* Whether a completion with this lease would be recorded. */
bool model_store_holds(const struct model_store *store, int64_t worker_id,
		       const struct model_lease *lease);

/* For the port alone: a new provisioning row; and the end of all leases of a worker, whose jobs are
 * tried again or have been lost too often. Returns their number. */
struct model_row *model_store_add_row(struct model_store *store);
int64_t model_store_lose(struct model_store *store, int64_t worker_id);
/* What has to happen without anybody asking for it: rg.tick(). */
void model_store_tick(struct model_store *store, struct fleet_upkeep *ret);

/* NULL if there is none. */
struct model_row *model_store_row(struct model_store *store, int64_t worker_id);

/* One client of the store, with what goes wrong on its way: enter before a call (an error: without
 * effect), leave after it (an error: the answer is lost). Both may be NULL. */
struct model_session {
	struct model_store *store;
	uint64_t id; /* not 0; a new one for each life of an orchestrator */
	void *context;
	int (*enter)(void *context, struct error *err);
	int (*leave)(void *context, struct error *err);
};
void model_store_port(struct model_session *session, struct fleet_store *ret);
