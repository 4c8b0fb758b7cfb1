#include "hcloud/serve.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/control.h"
#include "hcloud/route.h"
#include "hcloud/settle.h"

#define BEARER		  "Bearer "
#define REQUESTS_KEPT_MAX 2000
#define DELAY_MS_DEFAULT  1000

/* What faults can ask about a request. */
#define SUBJECT_COUNT 5
static void fill_subject(const struct call *call, const char *path,
			 struct fault_subject subject[SUBJECT_COUNT])
{
	subject[0] = (struct fault_subject){"method", call->method};
	subject[1] = (struct fault_subject){"path", path};
	subject[2] = (struct fault_subject){"page", query_get(&call->query, "page")};
	subject[3] = (struct fault_subject){"token", call->token ? call->token->text : NULL};
	subject[4] = (struct fault_subject){NULL, NULL};
}

static const json_t *strike(const struct call *call, const char *path, enum fault_kind kind)
{
	struct fault_subject subject[SUBJECT_COUNT];

	fill_subject(call, path, subject);
	return faults_strike(&call->sim->faults, kind, subject);
}

static int check_token_fault(struct call *call)
{
	const json_t *fault = faults_strike(
		&call->sim->faults, FAULT_TOKEN,
		(const struct fault_subject[]){{"token", call->token->text}, {NULL, NULL}});

	if (!fault)
		return 0;
	if (str_eq(fault_str(fault, "mode", "revoked"), "revoked")) {
		call->token = NULL;
		return problem_set(&call->problem, PROBLEM_UNAUTHORIZED,
				   "the token you have provided is invalid");
	}
	if (!str_eq(call->method, "GET"))
		return problem_set(&call->problem, PROBLEM_TOKEN_READONLY,
				   "the token is only allowed to perform GET requests");
	return 0;
}

static int find_token(struct call *call)
{
	const char *given = call->authorization;

	if (!given || !*given)
		return problem_set(&call->problem, PROBLEM_UNAUTHORIZED, "token is required");
	if (str_has_prefix(given, BEARER))
		call->token = sim_find_token(call->sim, given + strlen(BEARER));
	if (!call->token)
		return problem_set(&call->problem, PROBLEM_UNAUTHORIZED,
				   "the token you have provided is invalid");
	return check_token_fault(call);
}

static int take_rate(struct call *call, struct rate_limit *bucket)
{
	CHECK(bucket != NULL);
	int64_t now_us = vclock_now_us(&call->sim->clock);
	const json_t *fault = faults_strike(
		&call->sim->faults, FAULT_RATE_LIMIT,
		(const struct fault_subject[]){
			{"project", call->project ? call->project->name : NULL}, {NULL, NULL}});

	if (fault)
		rate_limit_set(bucket, (uint64_t)fault_int(fault, "limit", (int64_t)bucket->limit),
			       (uint64_t)fault_int(fault, "remaining", 0), now_us);
	call->rate = bucket;
	if (rate_limit_take(bucket, now_us))
		return 0;
	return problem_set(&call->problem, PROBLEM_RATE_LIMIT_EXCEEDED,
			   "limit of %" PRIu64 " requests per hour reached", bucket->limit);
}

/* Who asks, and whether they have asked too often. */
static int admit(struct call *call)
{
	struct problem refusal;

	if (find_token(call) == 0) {
		call->project = call->token->project;
		return take_rate(call, &call->project->rate);
	}
	refusal = call->problem;
	if (call->token) {
		call->project = call->token->project;
		if (take_rate(call, &call->project->rate) < 0)
			return -1;
	} else if (take_rate(call, &call->sim->anonymous) < 0) {
		return -1;
	}
	call->problem = refusal;
	return -1;
}

static int parse_body(struct call *call)
{
	struct error err;

	if (call->body_bytes == 0 || str_eq(call->method, "GET"))
		return 0;
	if (json_parse(call->body_text, call->body_bytes, &call->body, &err) < 0 ||
	    !json_is_object(call->body))
		return problem_set(&call->problem, PROBLEM_JSON_ERROR,
				   "the request body is not a valid JSON object");
	return 0;
}

/* Faults that come before anything has happened. */
static int fail_before(struct call *call, const char *path)
{
	const json_t *fault = strike(call, path, FAULT_RESET);

	if (fault) {
		call->transport = TRANSPORT_RESET;
		return problem_set(&call->problem, PROBLEM_SERVER_ERROR, "connection reset");
	}
	fault = strike(call, path, FAULT_STATUS);
	if (!fault)
		return 0;
	problem_named(&call->problem, problem_code_parse(fault_str(fault, "code", "server_error")),
		      fault_str(fault, "name", ""), "%s",
		      fault_str(fault, "message", "an error occurred"));
	call->problem.status = (unsigned)fault_int(fault, "status", (int64_t)call->problem.status);
	return -1;
}

static void become_problem(struct call *call, const struct problem *problem)
{
	json_decref(call->reply);
	call->status = problem->status;
	call->reply = json_pack("{s:o}", "error", problem_to_json(problem));
}

/* Faults that hit after it has happened: the answer is lost. */
static void fail_after(struct call *call, const char *path)
{
	struct problem problem;
	const json_t *fault = strike(call, path, FAULT_LOST);

	if (fault) {
		int64_t status = fault_int(fault, "status", 0);

		if (status == 0)
			call->transport = TRANSPORT_RESET;
		problem_set(&problem,
			    status == 502   ? PROBLEM_BAD_GATEWAY
			    : status == 504 ? PROBLEM_TIMEOUT
					    : PROBLEM_SERVER_ERROR,
			    "an error occurred");
		if (status > 0)
			problem.status = (unsigned)status;
		become_problem(call, &problem);
	} else if (strike(call, path, FAULT_CUT)) {
		call->transport = TRANSPORT_CUT;
	}
}

static int serve_route(struct call *call, const char *path)
{
	bool is_known = false;
	const struct route *route = route_find(call->method, path, &is_known, call->ids);

	if (!is_known) {
		call->is_pretty = true;
		return problem_set(&call->problem, PROBLEM_NOT_FOUND, "api route not found");
	}
	if (admit(call) < 0)
		return -1;
	if (!route)
		return problem_set(&call->problem, PROBLEM_METHOD_NOT_ALLOWED,
				   "method not allowed");
	if (fail_before(call, path) < 0 || parse_body(call) < 0)
		return -1;
	return route->handler(call);
}

/* Faults of the way back. */
static void bend_answer(struct call *call, const char *path)
{
	const json_t *delay = strike(call, path, FAULT_DELAY);

	if (delay)
		call->delay_ms = (uint64_t)fault_int(delay, "ms", DELAY_MS_DEFAULT);
	const json_t *skew = strike(call, path, FAULT_DATE);
	if (skew)
		call->date_skew_s = fault_int(skew, "seconds", 0);
}

/* Tests ask which requests there were. */
static void record(struct call *call)
{
	json_t *requests = call->sim->requests;

	if (json_array_size(requests) >= REQUESTS_KEPT_MAX)
		(void)json_array_remove(requests, 0);
	(void)json_array_append_new(requests,
				    json_pack("{s:s,s:s,s:s,s:s?,s:i}", "method", call->method,
					      "path", call->path, "query", call->query_text,
					      "project", call->project ? call->project->name : NULL,
					      "status", (int)call->status));
}

static void serve_api(struct call *call)
{
	bool in_api = str_has_prefix(call->path, API_PREFIX "/");
	const char *path = in_api ? call->path + strlen(API_PREFIX) : "";
	bool is_write = !str_eq(call->method, "GET");

	if (!query_parse(call->query_text, &call->query))
		problem_set(&call->problem, PROBLEM_INVALID_INPUT, "invalid query");
	if (call->problem.code || serve_route(call, path) < 0)
		become_problem(call, &call->problem);
	else if (is_write)
		settle(call->sim);
	if (call->transport == TRANSPORT_SEND) {
		bend_answer(call, path);
		fail_after(call, path);
	}
	record(call);
}

void serve(struct call *call)
{
	call->transport = TRANSPORT_SEND;
	if (str_has_prefix(call->path, CONTROL_PREFIX))
		control_serve(call);
	else
		serve_api(call);
	CHECK(call->status != 0);
}

char *serve_body_text(const struct call *call)
{
	if (!call->reply)
		return NULL;
	/* Nine digits, so that a latitude reads as it was written. */
	return json_dumps(call->reply, (call->is_pretty ? JSON_INDENT(2) : JSON_COMPACT) |
					       JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
}
