/* What the parts of the conformance script share. */
#pragma once

#include "fleet/conformance.h"

#define CONFORMANCE_SECOND_US INT64_C(1000000)

struct script {
	const struct conformance *side;
	const struct fleet_store *store; /* of the orchestrator that leads */
	struct fleet_world world;
	int64_t fence;
	int64_t now_us;
	struct error *err;
};

/* A worker that has joined. */
struct script_worker {
	int64_t id;
	uint32_t incarnation;
};

extern const struct fleet_note script_note;

#define PROMISE(script, condition)                                                           \
	do {                                                                                 \
		if (!(condition))                                                            \
			return error_set((script)->err, ERR_CONFLICT, "%s:%d: %s", __FILE__, \
					 __LINE__, #condition);                              \
	} while (0)
#define OK(script, call)                                                               \
	do {                                                                           \
		if ((call) < 0)                                                        \
			return error_wrap((script)->err, "%s:%d", __FILE__, __LINE__); \
	} while (0)
#define REFUSED(script, call, refusal)                             \
	do {                                                       \
		PROMISE(script, (call) < 0);                       \
		PROMISE(script, (script)->err->code == (refusal)); \
		error_clear((script)->err);                        \
	} while (0)

/* The whole of what the leader sees. */
MUST_CHECK int script_look(struct script *self);
/* In what it saw; NULL: not there. */
const struct fleet_worker *script_find(const struct script *self, int64_t id);
MUST_CHECK int script_intend(struct script *self, int64_t fence, int64_t *ret_id);
MUST_CHECK int script_hire(struct script *self, struct script_worker *ret);
/* Its row ends; what it has is lost. */
MUST_CHECK int script_dismiss(struct script *self, const struct script_worker *worker);

/* The parts; each leaves no job waiting, and no worker that lives, behind. */
MUST_CHECK int conformance_check_queue(struct script *self);
MUST_CHECK int conformance_check_silence(struct script *self);
