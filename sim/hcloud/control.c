#include "hcloud/control.h"

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/billing.h"
#include "hcloud/machines.h"
#include "hcloud/route.h"
#include "hcloud/settle.h"
#include "hcloud/state_file.h"

#define BEARER	       "Bearer "
#define CLOCK_RATE_MAX 1000000
#define US_PER_S       1000000
#define ADVANCE_S_MAX  (100LL * 366 * 24 * 3600)

static int fail(struct call *call, const struct error *err)
{
	return problem_set(&call->problem, PROBLEM_INVALID_INPUT, "%s%s%s", err->msg,
			   err->hint[0] ? "; " : "", err->hint);
}

static int health(struct call *call)
{
	return call_reply(call, 200,
			  json_pack("{s:s,s:s}", "status", "ok", "version", RGRID_VERSION));
}

static int fault_list(struct call *call)
{
	return call_reply(call, 200, json_pack("{s:O}", "faults", call->sim->faults.list));
}

/* {"spec": "status:path=/servers,…"} or the fault's members themselves. */
static int fault_add(struct call *call)
{
	const char *spec = doc_str(call->body, "spec");
	json_t *fault = NULL;
	struct error err;
	int64_t id;

	if (spec && fault_parse(spec, &fault, &err) < 0)
		return fail(call, &err);
	if (!spec)
		fault = call->body ? json_deep_copy(call->body) : json_object();
	if (faults_add(&call->sim->faults, fault, &id, &err) < 0)
		return fail(call, &err);
	return call_reply(call, 201, json_pack("{s:I}", "id", (json_int_t)id));
}

static int fault_clear(struct call *call)
{
	faults_clear(&call->sim->faults);
	return call_reply(call, 204, NULL);
}

static int fault_remove(struct call *call)
{
	if (!faults_remove(&call->sim->faults, call->ids[0]))
		return problem_set(&call->problem, PROBLEM_NOT_FOUND, "there is no such fault");
	return call_reply(call, 204, NULL);
}

static int clock_get(struct call *call)
{
	const struct vclock *clock = &call->sim->clock;
	int64_t now_us = vclock_now_us(clock);
	char text[VCLOCK_TEXT_BYTES];

	return call_reply(call, 200,
			  json_pack("{s:s,s:I,s:I}", "now", vclock_format(now_us, text), "unix",
				    (json_int_t)(now_us / US_PER_S), "rate",
				    (json_int_t)clock->rate));
}

static int clock_set(struct call *call)
{
	int64_t advance_s = doc_int(call->body, "advance_seconds");
	int64_t rate = doc_int(call->body, "rate");

	if (advance_s < 0 || advance_s > ADVANCE_S_MAX || rate < 0 || rate > CLOCK_RATE_MAX)
		return problem_set(&call->problem, PROBLEM_INVALID_INPUT,
				   "advance_seconds and rate are positive whole numbers");
	vclock_advance(&call->sim->clock, (uint64_t)advance_s * US_PER_S);
	if (rate > 0)
		vclock_set_rate(&call->sim->clock, (uint64_t)rate);
	return clock_get(call);
}

static int bill_get(struct call *call)
{
	const char *only = query_get(&call->query, "project");
	struct sim *sim = call->sim;
	json_t *bills = json_array();

	for (size_t i = 0; i < sim->project_count; i++) {
		if (!only || str_eq(only, sim->projects[i]->name))
			(void)json_array_append_new(bills,
						    billing_statement(sim, sim->projects[i]));
	}
	return call_reply(call, 200, json_pack("{s:o}", "bills", bills));
}

/* What the API does not tell of a server of any project: whether its system has come up. */
static int server_get(struct call *call)
{
	struct project *project = NULL;
	const json_t *server = machines_find(call->sim, call->ids[0], &project);

	if (!server)
		return call_not_found(call, KIND_SERVER, call->ids[0]);
	return call_reply(call, 200,
			  json_pack("{s:s,s:s,s:s,s:b}", "project", project->name, "name",
				    doc_str(server, "name"), "status", doc_str(server, "status"),
				    "booted", doc_bool(server, "_booted")));
}

/* {"cut": true} takes a machine off all networks, with "network": ID off that one. */
static int server_partition(struct call *call)
{
	const json_t *server = machines_find(call->sim, call->ids[0], NULL);
	const json_t *cut = json_object_get(call->body, "cut");
	const json_t *network = json_object_get(call->body, "network");
	struct error err;

	if (!server)
		return call_not_found(call, KIND_SERVER, call->ids[0]);
	if (!json_is_boolean(cut) || (network && json_integer_value(network) <= 0))
		return problem_set(&call->problem, PROBLEM_INVALID_INPUT,
				   "cut is true or false, network the id of a network");
	if (machines_partition(call->sim, server, json_integer_value(network), json_is_true(cut),
			       &err) < 0)
		return fail(call, &err);
	return call_reply(call, 204, NULL);
}

static int state_get(struct call *call)
{
	return call_reply(call, 200, state_to_json(call->sim));
}

static int requests_get(struct call *call)
{
	return call_reply(call, 200, json_pack("{s:O}", "requests", call->sim->requests));
}

static int requests_clear(struct call *call)
{
	(void)json_array_clear(call->sim->requests);
	return call_reply(call, 204, NULL);
}

static const struct route routes[] = {
	{"GET", "/_sim/health", health},
	{"GET", "/_sim/faults", fault_list},
	{"POST", "/_sim/faults", fault_add},
	{"DELETE", "/_sim/faults", fault_clear},
	{"DELETE", "/_sim/faults/{id}", fault_remove},
	{"GET", "/_sim/clock", clock_get},
	{"POST", "/_sim/clock", clock_set},
	{"GET", "/_sim/bill", bill_get},
	{"GET", "/_sim/servers/{id}", server_get},
	{"POST", "/_sim/servers/{id}/partition", server_partition},
	{"GET", "/_sim/state", state_get},
	{"GET", "/_sim/requests", requests_get},
	{"DELETE", "/_sim/requests", requests_clear},
	{NULL, NULL, NULL},
};

static bool may_control(const struct call *call)
{
	if (!call->control_token)
		return call->is_local;
	return call->authorization && str_has_prefix(call->authorization, BEARER) &&
	       str_eq(call->authorization + strlen(BEARER), call->control_token);
}

static int control_route(struct call *call)
{
	bool is_known = false;
	struct error err;

	if (!may_control(call))
		return problem_set(&call->problem, PROBLEM_UNAUTHORIZED,
				   call->control_token
					   ? "the control token is required"
					   : "only from the loopback interface, or with "
					     "--control-token");
	const struct route *route =
		route_find_in(routes, call->method, call->path, &is_known, call->ids);
	if (!route)
		return problem_set(&call->problem,
				   is_known ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND,
				   "no such control endpoint");
	if (call->body_bytes > 0 &&
	    json_parse(call->body_text, call->body_bytes, &call->body, &err) < 0)
		return fail(call, &err);
	return route->handler(call);
}

void control_serve(struct call *call)
{
	if (!query_parse(call->query_text, &call->query))
		problem_set(&call->problem, PROBLEM_INVALID_INPUT, "invalid query");
	if (call->problem.code || control_route(call) < 0) {
		call->status = call->problem.status;
		call->reply = json_pack("{s:o}", "error", problem_to_json(&call->problem));
	} else if (!str_eq(call->method, "GET")) {
		settle(call->sim);
	}
}
