/* The two sides that fleet_loop acts on: where the fleet's rows are kept (PostgreSQL, or the
 * simulation's model) and where servers come from (Hetzner Cloud, processes of this machine, or the
 * simulation's model). fleet_loop has no other way to the world: no clock, no I/O.
 *
 * Every call may fail, be repeated, or have had its effect though it failed; the process may die
 * between any two. So each leaves something behind from which the next tick can go on:
 *
 *   create   intend (row) -> cloud create -> record_server      lost answers: the next listing
 *   delete   end (row; its jobs are requeued) -> cloud delete -> server_deleting -> server_gone
 *
 * Functions return 0, or -1 with *err. Codes that callers tell apart:
 *   ERR_FORBIDDEN    the fence is stale: another orchestrator leads. Nothing was changed.
 *   ERR_CONFLICT     the row is not in a state that allows it any more. Nothing was changed.
 *   ERR_UNAVAILABLE, ERR_TIMEOUT    may have had its effect. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/fleet.h"

/* Why something is done: stored as an event together with the change, in one transaction. */
struct fleet_note {
	int rule;
	const char *reason;
	const char *key;
};

struct fleet_lead {
	bool leads;
	int64_t fence;	/* grows with each new leader; every change carries it */
	int64_t now_us; /* database time */
};

struct fleet_upkeep {
	bool woken; /* jobs became ready */
	bool busy;  /* there is more to come */
	int64_t rescued_count;
};

#define FLEET_SERVER_NAME_BYTES 64

/* A worker that is to be, as the store has written it down. */
struct fleet_intent {
	int64_t worker_id;
	char name[FLEET_SERVER_NAME_BYTES]; /* of the worker and its server: unique, RFC 1123 */
	char *login; /* secret: connection string of its first login; freed by the loop, may be NULL
		      */
};

struct fleet_ledger_row {
	int64_t worker_id;
	int64_t server_id;
	uint32_t hour;	 /* 0: the first */
	int64_t from_us; /* the hour's begin */
	int64_t price_micros;
};

struct fleet_store {
	void *context;

	/* Takes or renews the lead. The first call of every tick. */
	int (*lead)(void *context, struct fleet_lead *ret, struct error *err);
	/* Adds to a cleared world, in one snapshot: now_us, workers (living ones, and ended ones
	 * whose server is recorded and not known to be gone, or that have ended within the last
	 * hour without a recorded server), pendings, shapes, coolings that are not over, the counts
	 * of jobs that may not run, is_paused, quota_until_us, spent_micros. */
	int (*observe)(void *context, struct fleet_world *ret, struct error *err);
	/* What has to happen without anybody asking for it: delayed jobs, rescues, counts. Takes no
	 * fence: it is guarded by itself. */
	int (*upkeep)(void *context, struct fleet_upkeep *ret, struct error *err);

	/* Writes the row (provisioning) and makes the login. When the answer is lost, the row is
	 * seen by the next tick and given up for want of a server. */
	int (*intend)(void *context, int64_t fence, const struct fleet_choice *choice,
		      uint32_t slots, const struct fleet_note *note, struct fleet_intent *ret,
		      struct error *err);
	/* The worker's server is this one. Also for a row that has ended: then its server is known,
	 * billed and deleted. Recording the same one again is fine; another one is ERR_CONFLICT. */
	int (*record_server)(void *context, int64_t fence, const struct fleet_pending *server,
			     int64_t created_us, const struct fleet_note *note, struct error *err);
	/* The actions of its creation have ended, well or not. */
	int (*settle)(void *context, int64_t fence, int64_t worker_id, bool failed,
		      const char *message, struct error *err);
	/* provisioning or active -> draining; draining again changes the cause, unless that is an
	 * operator's. */
	int (*drain)(void *context, int64_t fence, int64_t worker_id, enum fleet_drain cause,
		     const struct fleet_note *note, struct error *err);
	/* draining -> active, or provisioning if it never joined. ERR_CONFLICT if it has left, or
	 * an operator drained it. */
	int (*undrain)(void *context, int64_t fence, int64_t worker_id,
		       const struct fleet_note *note, struct error *err);
	/* The row ends (failed becomes dead if it has come up), its jobs are requeued, its login is
	 * void. only_drained: ERR_CONFLICT if it has jobs, or does not drain (any more). Ending an
	 * ended row is fine. */
	int (*end)(void *context, int64_t fence, int64_t worker_id, enum worker_state state,
		   bool only_drained, const struct fleet_note *note, int64_t *ret_requeued,
		   struct error *err);
	/* The provider has taken the order to delete the ended worker's server, or may have; or the
	 * server is not ours any more, or protected. */
	int (*server_deleting)(void *context, int64_t fence, int64_t worker_id, int64_t at_us,
			       struct error *err);
	/* It is gone: the ended row is not listed any more. */
	int (*server_gone)(void *context, int64_t fence, int64_t worker_id,
			   const struct fleet_note *note, struct error *err);
	/* An event alone. kind: "orphan.delete" */
	int (*note)(void *context, int64_t fence, const char *kind, int64_t worker_id,
		    const struct fleet_note *note, struct error *err);
	/* Leaves a choice alone; a later until_us wins. */
	int (*cool)(void *context, int64_t fence, const struct fleet_cooling *cooling,
		    const char *message, struct error *err);
	int (*pause_quota)(void *context, int64_t fence, int64_t until_us, const char *message,
			   struct error *err);
	/* Rows that are there already (by server and hour) are left as they are. */
	int (*book)(void *context, int64_t fence, const struct fleet_ledger_row *rows, size_t count,
		    struct error *err);
};

/* What the provider said to an order. */
enum fleet_answer {
	FLEET_ANSWER_ACCEPTED = 1,
	FLEET_ANSWER_SOLD_OUT,	   /* not to be had now: another choice */
	FLEET_ANSWER_WITHDRAWN,	   /* not sold there at all */
	FLEET_ANSWER_QUOTA,	   /* the account's limit */
	FLEET_ANSWER_NETWORK_FULL, /* no place in the private network or the placement group */
	FLEET_ANSWER_REFUSED,	   /* for good, for another reason */
	FLEET_ANSWER_TROUBLE, /* no effect for certain: rate limit, maintenance, no connection */
	FLEET_ANSWER_UNKNOWN, /* may have had its effect: the next listing tells */
};

#define FLEET_MESSAGE_BYTES 256

struct fleet_creation {
	const struct fleet_intent *intent;
	const struct fleet_choice *choice;
	uint32_t slots;
	enum fleet_answer ret_answer;
	struct fleet_pending ret_server; /* accepted: with worker_id */
	int64_t ret_created_us;
	char ret_message[FLEET_MESSAGE_BYTES]; /* the provider's own words, unless accepted */
};

struct fleet_deletion {
	int64_t worker_id; /* 0: an orphan */
	int64_t server_id;
	enum fleet_answer ret_answer; /* ACCEPTED also when there is no such server */
	int64_t ret_at_us; /* the provider's clock; 0: not known, the store's now is taken */
	char ret_message[FLEET_MESSAGE_BYTES];
};

struct fleet_look {
	bool ret_ended; /* all actions of the pending have ended, or are not known any more */
	bool ret_failed;
	char ret_message[FLEET_MESSAGE_BYTES];
};

struct fleet_cloud {
	void *context;

	/* Appends ret->choices in the order of preference, with capacities and prices. The
	 * implementation keeps them, and asks again now and then. */
	int (*choices)(void *context, struct fleet_world *ret, struct error *err);
	/* Appends ret->servers and sets ret->network_members: every server that carries our
	 * managed-by, this grid's id and the role of a worker. Complete, or -1: never short. */
	int (*list)(void *context, struct fleet_world *ret, struct error *err);
	/* Name, labels (grid, worker) and user data come from the intent. Returns when each order
	 * was answered; does not wait for actions. */
	void (*create)(void *context, struct fleet_creation *creations, size_t count);
	/* Checks the grid's label before it deletes: a server that is not ours is REFUSED. */
	void (*delete)(void *context, struct fleet_deletion *deletions, size_t count);
	/* One look at the actions of several servers; looks[count] in the order of pendings. */
	int (*look)(void *context, const struct fleet_pending *pendings, size_t count,
		    struct fleet_look *looks, struct error *err);
	/* Requests left of the rate limit; UINT64_MAX: not known, or no limit. */
	uint64_t (*requests_left)(void *context);
	/* Tells the machine itself that its worker is to drain. NULL: its heartbeat tells it. */
	void (*drain)(void *context, int64_t worker_id);
	/* How long after a listing the next one is worth its requests: while something is under
	 * way that it would show, and else. */
	uint64_t (*list_again_ms)(void *context, bool under_way);
};
