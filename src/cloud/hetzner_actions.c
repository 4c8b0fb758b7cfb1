#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "cloud/hetzner_call.h"
#include "cloud/hetzner_failure.h"
#include "cloud/hetzner_parse.h"

#define IDS_MAX	    25 /* in one request, as the official clients ask */
#define POLL_MIN_MS 250
#define POLL_MAX_MS 2000

static int place_of(const int64_t *ids, size_t count, int64_t id)
{
	for (size_t i = 0; i < count; i++) {
		if (ids[i] == id)
			return (int)i;
	}
	return -1;
}

/* Up to IDS_MAX of them. */
static int get_some(struct hetzner *hetzner, const int64_t *ids, size_t count,
		    struct hetzner_action *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_call) struct hetzner_call call = {0};
	struct hetzner_reader reader = {.err = err};
	const json_t *json;
	size_t index;

	hetzner_call_init(&call, "GET", "/actions");
	for (size_t i = 0; i < count; i++) {
		char number[32];

		(void)snprintf(number, sizeof(number), "%" PRId64, ids[i]);
		hetzner_call_query(&call, "id", number);
		ret[i] = (struct hetzner_action){0};
	}
	if (hetzner_perform_one(hetzner, &call, err) < 0)
		return -1;
	const json_t *actions = hetzner_read_array(&reader, call.reply, "actions", 64);
	if (reader.failed)
		return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
	json_array_foreach (actions, index, json) {
		struct hetzner_action action;

		if (hetzner_parse_action(json, &action, err) < 0)
			return hetzner_fail(hetzner, HETZNER_UNREACHABLE);
		int place = place_of(ids, count, action.id);
		if (place >= 0)
			ret[place] = action;
	}
	for (size_t i = 0; i < count; i++) {
		if (ret[i].id == 0) {
			(void)hetzner_fail(hetzner, HETZNER_NOT_FOUND);
			return error_set(err, ERR_NOT_FOUND,
					 "Hetzner Cloud knows no action %" PRId64, ids[i]);
		}
	}
	return 0;
}

int hetzner_actions_get(struct hetzner *hetzner, const int64_t *ids, size_t count,
			struct hetzner_action *ret, struct error *err)
{
	for (size_t at = 0; at < count; at += IDS_MAX) {
		size_t some = count - at < IDS_MAX ? count - at : IDS_MAX;

		if (get_some(hetzner, ids + at, some, ret + at, err) < 0)
			return -1;
	}
	return 0;
}

static int action_failed(struct hetzner *hetzner, const struct hetzner_action *action,
			 struct error *err)
{
	enum hetzner_code code = hetzner_code_find(action->error_code);

	(void)hetzner_fail(hetzner, code == HETZNER_UNKNOWN ? HETZNER_ACTION_FAILED : code);
	(void)error_set(err, ERR_CONFLICT,
			"Hetzner Cloud's action %s (%" PRId64 ") failed: %s (%s)", action->command,
			action->id, action->error_message, action->error_code);
	return error_hint(err, "what it was to do was not done, or only in part");
}

/* Drops those that have ended from `open`. */
static int sort_out(struct hetzner *hetzner, const struct hetzner_action *actions,
		    struct hetzner_actions *open, struct error *err)
{
	size_t count = open->count;

	open->count = 0;
	for (size_t i = 0; i < count; i++) {
		switch (actions[i].status) {
		case HETZNER_ACTION_ERROR:
			return action_failed(hetzner, &actions[i], err);
		case HETZNER_ACTION_RUNNING:
			open->ids[open->count++] = actions[i].id;
			break;
		case HETZNER_ACTION_SUCCESS:
			break;
		}
	}
	return 0;
}

int hetzner_actions_wait(struct hetzner *hetzner, const struct hetzner_actions *actions,
			 struct error *err)
{
	struct hetzner_action seen[HETZNER_ACTIONS_MAX];
	struct hetzner_actions open = *actions;
	uint64_t deadline_ms = clock_boottime_ms() + hetzner->action_timeout_ms;
	uint64_t pause_ms = POLL_MIN_MS;

	while (open.count > 0) {
		if (hetzner_actions_get(hetzner, open.ids, open.count, seen, err) < 0 ||
		    sort_out(hetzner, seen, &open, err) < 0)
			return -1;
		if (open.count == 0)
			break;
		bool is_late = clock_boottime_ms() >= deadline_ms;
		if (is_late || !hetzner_sleep(hetzner, pause_ms)) {
			(void)hetzner_fail(hetzner, HETZNER_TIMEOUT);
			(void)error_set(err, ERR_TIMEOUT, "Hetzner Cloud's action %" PRId64 " %s",
					open.ids[0],
					is_late ? "has not ended in time"
						: "goes on: the wait for it was interrupted");
			return error_hint(err, "it may end yet: look before asking again");
		}
		pause_ms = pause_ms * 3 / 2 < POLL_MAX_MS ? pause_ms * 3 / 2 : POLL_MAX_MS;
	}
	return 0;
}
