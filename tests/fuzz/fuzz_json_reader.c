/* Any bytes as a request's body: parsed and read without fault, and every refusal explained. */
#include "base/json.h"

#include "base/check.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void read_limits(const json_t *object, struct error *err)
{
	struct json_reader reader;
	uint64_t memory_bytes = 1;
	uint64_t cpu_millis = 10;

	json_reader_init(&reader, object, "limits", err);
	json_read_u64(&reader, "memory_bytes", 1, INT64_MAX, &memory_bytes);
	json_read_millis(&reader, "cpus", 10, 256000, &cpu_millis);
	int failed = json_reader_finish(&reader);

	CHECK(memory_bytes >= 1);
	CHECK(cpu_millis >= 10);
	CHECK(cpu_millis <= 256000);
	CHECK(failed == 0 || err->code == ERR_INVALID);
}

static void read_job(const json_t *json)
{
	const json_t *limits = NULL;
	const json_t *args = NULL;
	struct json_reader reader;
	const char *name = "";
	bool network = false;
	struct error err = {0};

	json_reader_init(&reader, json, "", &err);
	json_require(&reader, "name");
	json_read_str(&reader, "name", 1, 64, &name);
	json_read_bool(&reader, "network", &network);
	json_read_array(&reader, "args", 16, &args);
	json_read_object(&reader, "limits", 16, &limits);
	int failed = json_reader_finish(&reader);

	CHECK(strlen(name) <= 64);
	CHECK(str_is_utf8(name, strlen(name)));
	CHECK(args == NULL || json_array_size(args) <= 16);
	CHECK((failed != 0) == (err.code != ERR_NONE));
	CHECK(failed == 0 || err.msg[0] != '\0');
	if (limits != NULL)
		read_limits(limits, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	CLEANUP(cleanup_json) json_t *json = NULL;
	CLEANUP(cleanup_json) json_t *again = NULL;
	CLEANUP(cleanup_free) char *text = NULL;
	struct error err = {0};

	if (json_parse((const char *)data, bytes, &json, &err) != 0) {
		CHECK(json == NULL);
		CHECK(err.code == ERR_INVALID);
		CHECK(err.msg[0] != '\0');
		return 0;
	}
	read_job(json);
	/* What was accepted is written as text that is accepted and means the same. */
	text = json_to_text(json);
	int failed = json_parse(text, strlen(text), &again, &err);

	CHECK(failed == 0);
	CHECK(json_equal(json, again));
	return 0;
}
