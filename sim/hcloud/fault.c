#include "hcloud/fault.h"

#include <fnmatch.h>
#include <inttypes.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "hcloud/problem.h"

#define COMMON_KEYS  " kind count skip for "
#define FAULTS_MAX   1000
#define COUNT_MAX    1000000000
#define MS_MAX	     (24LL * 3600 * 1000)
#define SKEW_MAX_S   (366LL * 24 * 3600)
#define NAME_MAX_LEN 32

static const struct {
	const char *word;
	int64_t count;
	const char *keys;
} kinds[FAULT_MAX] = {
#define X(name, word, count, keys) [FAULT_##name] = {word, count, " " keys " "},
#include "hcloud/faults.def"
#undef X
};

void faults_init(struct faults *faults)
{
	*faults = (struct faults){.list = json_array(), .next_id = 1};
}

void faults_release(struct faults *faults)
{
	json_decref(faults->list);
	faults->list = NULL;
}

static enum fault_kind kind_of(const char *word)
{
	for (enum fault_kind kind = FAULT_NONE + 1; kind < FAULT_MAX; kind++) {
		if (str_eq(kinds[kind].word, word))
			return kind;
	}
	return FAULT_NONE;
}

/* "key=value": up to the next comma that no backslash escapes. Returns what follows. */
static const char *parse_pair(const char *text, json_t *into)
{
	size_t name_bytes = strcspn(text, "=,");
	CLEANUP(cleanup_free) char *name = xstrndup(text, name_bytes);
	CLEANUP(cleanup_free) char *value = xcalloc(1, strlen(text) + 1);
	size_t used = 0;

	text += name_bytes;
	if (*text == '=') {
		for (text++; *text && *text != ','; text++) {
			if (*text == '\\' && text[1])
				text++;
			value[used++] = *text;
		}
	}
	(void)json_object_set_new(into, name, json_string(value));
	return *text ? text + 1 : text;
}

int fault_parse(const char *spec, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_json) json_t *fault = json_object();
	size_t kind_bytes = strcspn(spec, ":");
	CLEANUP(cleanup_free) char *kind = xstrndup(spec, kind_bytes);
	const char *rest = spec[kind_bytes] ? spec + kind_bytes + 1 : "";

	if (!str_is_utf8(spec, strlen(spec)))
		return error_set(err, ERR_INVALID, "the fault is not UTF-8");
	while (*rest)
		rest = parse_pair(rest, fault);
	(void)json_object_set_new(fault, "kind", json_string(kind));
	*ret = TAKE_PTR(fault);
	return 0;
}

/* Keys that are numbers, and from where to where. */
static const struct {
	const char *key;
	int64_t min;
	int64_t max;
} numbers[] = {
	{"count", 0, COUNT_MAX},
	{"skip", 0, COUNT_MAX},
	{"for", 1, MS_MAX},
	{"ms", 0, MS_MAX},
	{"max", 0, COUNT_MAX},
	{"limit", 1, COUNT_MAX},
	{"remaining", 0, COUNT_MAX},
	{"seconds", -SKEW_MAX_S, SKEW_MAX_S},
	{"status", 400, 599},
	{"effect", 0, 1},
	{"vanish", 0, 1},
	{"fail", 0, 1},
	{"all", 0, 1},
	{"available", 0, 1},
};

static int check_number(const char *key, const json_t *value, struct error *err)
{
	const char *text = json_string_value(value);
	int64_t number = json_integer_value(value);

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!str_eq(numbers[i].key, key))
			continue;
		if (text && parse_i64(text, numbers[i].min, numbers[i].max, &number, err) < 0)
			return error_wrap(err, "%s", key);
		if (number < numbers[i].min || number > numbers[i].max)
			return error_set(err, ERR_INVALID,
					 "%s: %" PRId64 " is not within %" PRId64 " and %" PRId64,
					 key, number, numbers[i].min, numbers[i].max);
	}
	return 0;
}

/* Words of which there are only some. */
static int check_word(const char *key, const json_t *value, struct error *err)
{
	const char *text = json_string_value(value);

	if (str_eq(key, "code") && (!text || !problem_code_parse(text)))
		return error_set(err, ERR_INVALID, "code: the API has no error \"%s\"",
				 text ? text : "");
	if (str_eq(key, "mode") &&
	    (!text || (!str_eq(text, "revoked") && !str_eq(text, "readonly"))))
		return error_set(err, ERR_INVALID, "mode is revoked or readonly");
	return 0;
}

static int check_key(enum fault_kind kind, const char *key, const json_t *value, struct error *err)
{
	char padded[NAME_MAX_LEN + 3];

	(void)snprintf(padded, sizeof(padded), " %.*s ", NAME_MAX_LEN, key);
	if (!strstr(COMMON_KEYS, padded) && !strstr(kinds[kind].keys, padded)) {
		error_set(err, ERR_INVALID, "the fault \"%s\" has no key \"%s\"", kinds[kind].word,
			  key);
		return error_hint(err, "its keys: count, skip, for,%s", kinds[kind].keys);
	}
	if (!json_is_string(value) && !json_is_integer(value))
		return error_set(err, ERR_INVALID, "\"%s\" of a fault is text or a whole number",
				 key);
	if (check_word(key, value, err) < 0)
		return -1;
	return check_number(key, value, err);
}

static int check(const json_t *fault, enum fault_kind *ret, struct error *err)
{
	const char *word = json_string_value(json_object_get(fault, "kind"));
	enum fault_kind kind = word ? kind_of(word) : FAULT_NONE;
	const char *key;
	json_t *value;

	if (kind == FAULT_NONE)
		return error_set(err, ERR_INVALID, "there is no fault \"%s\"", word ? word : "");
	json_object_foreach ((json_t *)(uintptr_t)fault, key, value) {
		if (check_key(kind, key, value, err) < 0)
			return -1;
	}
	*ret = kind;
	return 0;
}

int faults_add(struct faults *faults, json_t *fault, int64_t *ret_id, struct error *err)
{
	enum fault_kind kind = FAULT_NONE;

	if (check(fault, &kind, err) < 0) {
		json_decref(fault);
		return -1;
	}
	if (json_array_size(faults->list) >= FAULTS_MAX) {
		json_decref(fault);
		return error_set(err, ERR_TOO_LARGE, "more than %d faults", FAULTS_MAX);
	}
	int64_t for_ms = fault_int(fault, "for", 0);
	int64_t count = fault_int(fault, "count", kinds[kind].count);
	(void)json_object_set_new(fault, "id", json_integer(faults->next_id));
	(void)json_object_set_new(fault, "hits", json_integer(0));
	(void)json_object_set_new(fault, "passed", json_integer(0));
	(void)json_object_set_new(fault, "count", json_integer(count));
	if (for_ms > 0)
		(void)json_object_set_new(fault, "until_ms",
					  json_integer((int64_t)clock_boottime_ms() + for_ms));
	(void)json_array_append_new(faults->list, fault);
	if (ret_id)
		*ret_id = faults->next_id;
	faults->next_id++;
	return 0;
}

bool faults_remove(struct faults *faults, int64_t id)
{
	for (size_t i = 0; i < json_array_size(faults->list); i++) {
		const json_t *fault = json_array_get(faults->list, i);

		if (json_integer_value(json_object_get(fault, "id")) == id)
			return json_array_remove(faults->list, i) == 0;
	}
	return false;
}

void faults_clear(struct faults *faults)
{
	(void)json_array_clear(faults->list);
}

const char *fault_str(const json_t *fault, const char *key, const char *absent)
{
	const char *text = json_string_value(json_object_get(fault, key));

	return text ? text : absent;
}

int64_t fault_int(const json_t *fault, const char *key, int64_t absent)
{
	const json_t *value = json_object_get(fault, key);
	struct error err;
	int64_t number;

	if (json_is_integer(value))
		return json_integer_value(value);
	if (json_is_string(value) &&
	    parse_i64(json_string_value(value), -COUNT_MAX, COUNT_MAX, &number, &err) == 0)
		return number;
	return absent;
}

static bool matches(const json_t *fault, const struct fault_subject *subject)
{
	for (; subject->key; subject++) {
		const json_t *wanted = json_object_get(fault, subject->key);
		char number[24];
		const char *pattern = json_string_value(wanted);

		if (!wanted)
			continue;
		if (json_is_integer(wanted)) {
			(void)snprintf(number, sizeof(number), "%lld",
				       (long long)json_integer_value(wanted));
			pattern = number;
		}
		if (fnmatch(pattern, subject->value ? subject->value : "", 0) != 0)
			return false;
	}
	return true;
}

static void add_one(json_t *fault, const char *key)
{
	(void)json_object_set_new(fault, key, json_integer(fault_int(fault, key, 0) + 1));
}

const json_t *faults_strike(struct faults *faults, enum fault_kind kind,
			    const struct fault_subject *subject)
{
	for (size_t i = 0; i < json_array_size(faults->list); i++) {
		json_t *fault = json_array_get(faults->list, i);
		int64_t until_ms = fault_int(fault, "until_ms", INT64_MAX);
		int64_t count = fault_int(fault, "count", 0);

		if (!str_eq(fault_str(fault, "kind", ""), kinds[kind].word))
			continue;
		if ((int64_t)clock_boottime_ms() >= until_ms ||
		    (count > 0 && fault_int(fault, "hits", 0) >= count))
			continue;
		if (!matches(fault, subject))
			continue;
		if (fault_int(fault, "passed", 0) < fault_int(fault, "skip", 0)) {
			add_one(fault, "passed");
			continue;
		}
		add_one(fault, "hits");
		return fault;
	}
	return NULL;
}
