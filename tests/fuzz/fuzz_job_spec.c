/* Any bytes as a job specification: either refused with a message that names a place, or read into
 * a specification that reads the same again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "core/job_spec.h"
#include "core/limits.h"
#include "core/runtime.h"

static int count_blob(void *context, const uint8_t blob[SHA256_BYTES], const char *field)
{
	size_t *count = context;

	(void)blob;
	CHECK(field[0] != '\0');
	++*count;
	return 0;
}

static void check_accepted(const struct job_spec *spec)
{
	size_t blobs = 0;

	CHECK(spec->runtime == runtime_find(spec->runtime->name));
	CHECK(spec->script_has_blob == (spec->script_content == NULL));
	CHECK(spec->args[spec->arg_count] == NULL);
	CHECK(spec->limits.cpu_millis >= LIMIT_CPU_MILLIS_MIN);
	CHECK(spec->limits.cpu_millis <= LIMIT_CPU_MILLIS_MAX);
	CHECK(spec->retries <= LIMIT_RETRIES);
	CHECK(job_spec_each_blob(spec, count_blob, &blobs) == 0);
	CHECK(blobs == spec->file_count + spec->script_has_blob + spec->has_stdin);
}

/* What is stored is read again by the worker, which must see the same. */
static void check_round_trip(const struct job_spec *spec)
{
	CLEANUP(cleanup_free) char *text = json_to_text(spec->json);
	CLEANUP(cleanup_json) json_t *json = NULL;
	CLEANUP(cleanup_job_spec) struct job_spec again = {0};
	struct error err;

	CHECK(json_parse(text, strlen(text), &json, &err) == 0);
	CHECK(job_spec_read(json, "", &again, &err) == 0);
	CHECK(str_eq(again.script_name, spec->script_name));
	CHECK(again.file_count == spec->file_count);
	CHECK(again.limits.cpu_millis == spec->limits.cpu_millis);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	CLEANUP(cleanup_json) json_t *json = NULL;
	CLEANUP(cleanup_job_spec) struct job_spec spec = {0};
	struct error err = {0};

	if (json_parse((const char *)data, bytes, &json, &err) < 0) {
		CHECK(err.msg[0] != '\0');
		return 0;
	}
	if (job_spec_read(json, "jobs[0]", &spec, &err) < 0) {
		CHECK(err.code == ERR_INVALID);
		CHECK(str_has_prefix(err.field, "jobs[0]"));
		CHECK(str_is_utf8(err.msg, strlen(err.msg)));
		return 0;
	}
	check_accepted(&spec);
	check_round_trip(&spec);
	return 0;
}
