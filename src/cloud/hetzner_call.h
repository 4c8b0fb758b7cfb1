/* Requests to the API and their answers: several in flight, each repeated where that is safe, each
 * judged. Inside of the client; what a caller sees is hetzner.h. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "cloud/hetzner.h"
#include "cloud/hetzner_allowance.h"

#define HETZNER_PATH_BYTES  1024
#define HETZNER_REPLY_BYTES (16 * 1024 * 1024)
/* What stands in front of the token in `authorization`. */
#define HETZNER_AUTHORIZATION "Authorization: Bearer "

struct hetzner {
	char *endpoint; /* without a slash at its end */
	char *authorization;
	bool is_plain_http;
	char *ca_file; /* NULL: the system's */
	uint64_t request_timeout_ms;
	uint64_t action_timeout_ms;
	uint64_t backoff_ms;
	bool (*is_interrupted)(void *context);
	void *interrupt_context;
	CURLM *multi;
	CURL *handles[HETZNER_IN_FLIGHT_MAX];
	struct hetzner_allowance allowance;
	int64_t clock_skew_ms;
	struct hetzner_failure failure; /* of the last call */
};

struct hetzner_call {
	const char *method;
	char path[HETZNER_PATH_BYTES]; /* "/servers?page=1"; appended to the endpoint */
	char *body;		       /* JSON, owned; NULL: none */
	bool refused;		       /* err says why it cannot be sent */
	/* The answer */
	int result; /* 0: a 2xx, its JSON in reply (NULL when it has none) */
	json_t *reply;
	struct hetzner_failure failure;
	struct error err;
};

/* Fills path as printf does; CHECKs that it fits. */
PRINTF_FORMAT(3, 4)
void hetzner_call_init(struct hetzner_call *call, const char *method, const char *format, ...);
/* The API takes no such text: the call will fail with ERR_INVALID, unsent. */
PRINTF_FORMAT(3, 4)
void hetzner_call_refuse(struct hetzner_call *call, const char *name, const char *format, ...);
/* Adds a text to what will be the body; what is not UTF-8 is refused. */
void hetzner_call_text(struct hetzner_call *call, json_t *body, const char *name,
		       const char *value);
/* Adds "labels"; NULL: none. Too many, or such as are not UTF-8, are refused. */
void hetzner_call_labels(struct hetzner_call *call, json_t *body,
			 const struct hetzner_labels *labels);
/* Takes `body`, a new reference. */
void hetzner_call_body(struct hetzner_call *call, json_t *body);
void hetzner_call_release(struct hetzner_call *call);
#define cleanup_hetzner_call hetzner_call_release

/* Performs all; each result stands in its call. */
void hetzner_perform(struct hetzner *hetzner, struct hetzner_call *calls, size_t count);
/* Performs the one, and reports it as the client's last: 0, or -1 with err. */
MUST_CHECK int hetzner_perform_one(struct hetzner *hetzner, struct hetzner_call *call,
				   struct error *err);
/* As hetzner_perform_one; what is not there counts as deleted. */
MUST_CHECK int hetzner_perform_absent_is_fine(struct hetzner *hetzner, struct hetzner_call *call,
					      struct error *err);
/* As hetzner_perform_one, with the actions that the answer names. */
MUST_CHECK int hetzner_perform_action(struct hetzner *hetzner, struct hetzner_call *call,
				      struct hetzner_actions *ret, struct error *err);
/* As hetzner_perform_one, with the id of the object that the answer has under `name`. */
MUST_CHECK int hetzner_perform_create(struct hetzner *hetzner, struct hetzner_call *call,
				      const char *name, int64_t *ret_id, struct error *err);
/* A change was accepted in words that cannot be read: it may be done. err tells of the words.
 * Returns -1. */
int hetzner_fail_unreadable(struct hetzner *hetzner, struct error *err);
/* Notes a failure that is not of one call (a bad reply, an action that failed). Returns -1. */
int hetzner_fail(struct hetzner *hetzner, enum hetzner_code code);
/* Waits; false when interrupted. */
bool hetzner_sleep(const struct hetzner *hetzner, uint64_t ms);
/* Appends "&name=value" with the value encoded; what is not UTF-8, or too long, is refused. */
void hetzner_call_query(struct hetzner_call *call, const char *name, const char *value);
