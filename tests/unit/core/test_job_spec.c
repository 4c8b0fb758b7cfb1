#include "core/job_spec.h"

#include <stdlib.h>

#include "base/fs.h"
#include "core/limits.h"
#include "core/runtime.h"
#include "tap.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* Members that every valid specification needs; JSON with ' for ". */
#define BASE "'runtime': 'python', 'script': {'name': 's.py', 'content': ''}"

static json_t *parse(const char *text)
{
	CLEANUP(cleanup_free) char *copy = xstrdup(text);
	struct error err;
	json_t *json;

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	EXPECT_OK(json_parse(copy, strlen(copy), &json, &err), err);
	return json;
}

static void read_ok(const char *text, struct job_spec *ret)
{
	CLEANUP(cleanup_json) json_t *json = parse(text);
	struct error err;

	EXPECT_OK(job_spec_read(json, "", ret, &err), err);
}

static void expect_json_fault(const json_t *json, const char *path, const char *field,
			      const char *message)
{
	struct job_spec spec;
	struct error err = {0};

	if (job_spec_read(json, path, &spec, &err) == 0)
		tap_fail(__FILE__, __LINE__, "accepted, expected a fault in %s", field);
	EXPECT_INT(err.code, ERR_INVALID);
	EXPECT_STR(err.field, field);
	if (strstr(err.msg, message) == NULL && strstr(err.hint, message) == NULL)
		tap_fail(__FILE__, __LINE__, "\"%s\" (hint \"%s\") does not say \"%s\"", err.msg,
			 err.hint, message);
}

/* The specification is refused, blaming `field`, with `message` somewhere in message or hint. */
static void expect_fault(const char *text, const char *field, const char *message)
{
	CLEANUP(cleanup_json) json_t *json = parse(text);

	expect_json_fault(json, "", field, message);
}

/* The same for BASE and further members. */
#define EXPECT_FAULT(members, field, message) \
	expect_fault("{" BASE ", " members "}", field, message)

TEST(the_least_specification_gets_defaults)
{
	CLEANUP(cleanup_job_spec) struct job_spec spec;

	read_ok("{" BASE "}", &spec);
	EXPECT(spec.name == NULL);
	EXPECT_STR(spec.runtime->name, "python");
	EXPECT_STR(spec.script_name, "s.py");
	EXPECT(!spec.script_has_blob);
	EXPECT_STR(spec.script_content, "");
	EXPECT(!spec.has_stdin);
	EXPECT_INT(spec.arg_count, 0);
	EXPECT(spec.args[0] == NULL);
	EXPECT_INT(spec.file_count, 0);
	EXPECT_INT(spec.directory_count, 0);
	EXPECT_INT(spec.env_count, 0);
	EXPECT_INT(spec.limits.cpu_millis, DEFAULT_CPU_MILLIS);
	EXPECT_INT(spec.limits.memory_bytes, DEFAULT_MEMORY_BYTES);
	EXPECT_INT(spec.limits.timeout_ms, DEFAULT_TIMEOUT_MS);
	EXPECT_INT(spec.limits.pids, DEFAULT_PIDS);
	EXPECT_INT(spec.limits.disk_bytes, DEFAULT_DISK_BYTES);
	EXPECT_INT(spec.network, NETWORK_NONE);
	EXPECT_INT(spec.retries, 0);
	EXPECT(spec.labels == NULL);
}

TEST(every_member_is_read)
{
	CLEANUP(cleanup_job_spec) struct job_spec spec;

	read_ok("{'name': 'nightly', 'runtime': 'node',"
		"'script': {'name': 'src/a.js', 'blob': '" HEX_A "'},"
		"'args': ['in.csv', '', '--fast'], 'stdin': {'blob': '" HEX_B "'},"
		"'files': [{'path': 'in.csv', 'blob': '" HEX_B "'},"
		"{'path': 'bin/x', 'blob': '" HEX_A "', 'executable': true}],"
		"'directories': ['out/empty', 'bin'], 'env': {'A': '1', '_b2': ''},"
		"'limits': {'cpus': 0.5, 'memory_bytes': 16777216, 'timeout_ms': 100,"
		"'pids': 1, 'disk_bytes': 1048576},"
		"'network': 'public', 'retries': 7, 'labels': {'team': 'x'}}",
		&spec);
	EXPECT_STR(spec.name, "nightly");
	EXPECT_STR(spec.runtime->name, "node");
	EXPECT_STR(spec.script_name, "src/a.js");
	EXPECT(spec.script_has_blob);
	EXPECT(spec.script_content == NULL);
	EXPECT_INT(spec.script_blob[31], 0xaa);
	EXPECT(spec.has_stdin);
	EXPECT_INT(spec.stdin_blob[0], 0xbb);
	EXPECT_INT(spec.arg_count, 3);
	EXPECT_STR(spec.args[1], "");
	EXPECT_STR(spec.args[2], "--fast");
	EXPECT(spec.args[3] == NULL);
	EXPECT_INT(spec.file_count, 2);
	EXPECT_STR(spec.files[1].path, "bin/x");
	EXPECT(spec.files[1].executable);
	EXPECT(!spec.files[0].executable);
	EXPECT_INT(spec.files[0].blob[5], 0xbb);
	EXPECT_INT(spec.directory_count, 2);
	EXPECT_STR(spec.directories[0], "out/empty");
	EXPECT_INT(spec.env_count, 2);
	EXPECT_STR(spec.env[0].key, "A");
	EXPECT_STR(spec.env[0].value, "1");
	EXPECT_STR(spec.env[1].value, "");
	EXPECT_INT(spec.limits.cpu_millis, 500);
	EXPECT_INT(spec.limits.memory_bytes, 16777216);
	EXPECT_INT(spec.limits.timeout_ms, 100);
	EXPECT_INT(spec.limits.pids, 1);
	EXPECT_INT(spec.limits.disk_bytes, 1048576);
	EXPECT_INT(spec.network, NETWORK_PUBLIC);
	EXPECT_INT(spec.retries, 7);
	EXPECT_INT(json_object_size(spec.labels), 1);
}

TEST(null_is_absence)
{
	CLEANUP(cleanup_job_spec) struct job_spec spec;

	read_ok("{'runtime': 'bash', 'script': {'name': 's', 'blob': null, 'content': 'x'},"
		"'name': null, 'args': null, 'stdin': null, 'files': null, 'directories': null,"
		"'env': null, 'limits': null, 'network': null, 'retries': null, 'labels': null}",
		&spec);
	EXPECT(spec.name == NULL);
	EXPECT(spec.labels == NULL);
	EXPECT_INT(spec.network, NETWORK_NONE);
	EXPECT_INT(spec.limits.pids, DEFAULT_PIDS);
}

TEST(unknown_members_are_refused_with_a_suggestion)
{
	EXPECT_FAULT("'argss': []", "argss", "args");
	EXPECT_FAULT("'limits': {'memory': 1}", "limits.memory", "memory_bytes");
	expect_fault("{'runtime': 'python', 'script': {'name': 's', 'contents': ''}}",
		     "script.blob", "missing");
	expect_fault("{'runtime': 'python', 'script': {'name': 's', 'content': '', 'mode': 1}}",
		     "script.mode", "");
	EXPECT_FAULT("'files': [{'path': 'a', 'blob': '" HEX_A "', 'exec': true}]", "files[0].exec",
		     "executable");
	EXPECT_FAULT("'stdin': {'blob': '" HEX_A "', 'x': 1}", "stdin.x", "");
}

TEST(wrong_types_are_refused)
{
	EXPECT_FAULT("'name': 1", "name", "");
	EXPECT_FAULT("'args': 'x'", "args", "");
	EXPECT_FAULT("'args': ['a', 3]", "args[1]", "quotes");
	EXPECT_FAULT("'args': [['a']]", "args[0]", "text");
	EXPECT_FAULT("'args': [null]", "args[0]", "text");
	EXPECT_FAULT("'stdin': 'text'", "stdin", "");
	EXPECT_FAULT("'files': {}", "files", "");
	EXPECT_FAULT("'files': ['a']", "files[0]", "");
	EXPECT_FAULT("'directories': [1]", "directories[0]", "text");
	EXPECT_FAULT("'env': []", "env", "");
	EXPECT_FAULT("'env': {'A': 1}", "env", "\"A\"");
	EXPECT_FAULT("'limits': 1", "limits", "");
	EXPECT_FAULT("'limits': {'pids': '1'}", "limits.pids", "");
	EXPECT_FAULT("'limits': {'pids': 1.5}", "limits.pids", "");
	EXPECT_FAULT("'limits': {'cpus': '1'}", "limits.cpus", "");
	EXPECT_FAULT("'retries': -1", "retries", "");
	EXPECT_FAULT("'labels': {'a': 1}", "labels", "\"a\"");
	expect_fault("[]", "", "");
	expect_fault("{'runtime': 'python', 'script': 's.py'}", "script", "");
}

TEST(what_must_be_there_is_missed)
{
	expect_fault("{}", "runtime", "");
	expect_fault("{'runtime': 'python'}", "script", "");
	expect_fault("{'runtime': 'python', 'script': {'content': ''}}", "script.name", "");
	expect_fault("{'runtime': 'python', 'script': {'name': 's'}}", "script.blob", "content");
	expect_fault("{'runtime': 'python', 'script': {'name': 's', 'content': '', 'blob': '" HEX_A
		     "'}}",
		     "script.content", "together");
	EXPECT_FAULT("'stdin': {}", "stdin.blob", "");
	EXPECT_FAULT("'files': [{'path': 'a'}]", "files[0].blob", "");
	EXPECT_FAULT("'files': [{'blob': '" HEX_A "'}]", "files[0].path", "");
}

TEST(choices_are_suggested)
{
	expect_fault("{'runtime': 'pyton'}", "runtime", "did you mean \"python\"");
	expect_fault("{'runtime': 'zzz'}", "runtime", "python, node, bash or exec");
	expect_fault("{'runtime': ''}", "runtime", "python, node, bash or exec");
	EXPECT_FAULT("'network': 'publc'", "network", "did you mean \"public\"");
	EXPECT_FAULT("'network': 'host'", "network", "none or public");
}

TEST(limits_have_bounds)
{
	EXPECT_FAULT("'limits': {'cpus': 0.009}", "limits.cpus", "");
	EXPECT_FAULT("'limits': {'cpus': 257}", "limits.cpus", "");
	EXPECT_FAULT("'limits': {'memory_bytes': 16777215}", "limits.memory_bytes", "");
	EXPECT_FAULT("'limits': {'memory_bytes': 4398046511105}", "limits.memory_bytes", "");
	EXPECT_FAULT("'limits': {'timeout_ms': 99}", "limits.timeout_ms", "");
	EXPECT_FAULT("'limits': {'timeout_ms': 2592000001}", "limits.timeout_ms", "");
	EXPECT_FAULT("'limits': {'pids': 0}", "limits.pids", "");
	EXPECT_FAULT("'limits': {'pids': 32769}", "limits.pids", "");
	EXPECT_FAULT("'limits': {'disk_bytes': 1048575}", "limits.disk_bytes", "");
	EXPECT_FAULT("'retries': 101", "retries", "");
}

TEST(blobs_are_exact_digests)
{
	EXPECT_FAULT("'stdin': {'blob': ''}", "stdin.blob", "SHA-256");
	EXPECT_FAULT("'stdin': {'blob': '" HEX_A "a'}", "stdin.blob", "SHA-256");
	EXPECT_FAULT("'stdin': {'blob': 'A" HEX_A "'}", "stdin.blob", "SHA-256");
	EXPECT_FAULT("'files': [{'path': 'a', 'blob': 'abc'}]", "files[0].blob", "SHA-256");
}

TEST(paths_stay_inside_the_work_directory)
{
	static const char *const wrong[] = {"",	    "/etc/passwd", "..", "a/../b",
					    "a//b", "./a",	   "a/", "."};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "{" BASE ", 'files': [{'path': '%s', 'blob': '" HEX_A "'}]}",
			       wrong[i]);
		expect_fault(text, "files[0].path", "");
		(void)snprintf(text, sizeof(text), "{" BASE ", 'directories': ['ok', '%s']}",
			       wrong[i]);
		expect_fault(text, "directories[1]", "");
		(void)snprintf(text, sizeof(text),
			       "{'runtime': 'bash', 'script': {'name': '%s', 'content': ''}}",
			       wrong[i]);
		expect_fault(text, "script.name", "");
	}
	EXPECT_FAULT("'files': [{'path': 'a\\u001bb', 'blob': '" HEX_A "'}]", "files[0].path", "");
}

TEST(paths_have_a_length)
{
	char path[FS_PATH_BYTES_MAX + 2] = "";
	char text[FS_PATH_BYTES_MAX + 512];

	for (size_t i = 0; i < FS_PATH_BYTES_MAX + 1; i++)
		path[i] = i % 100 == 99 ? '/' : 'a';
	(void)snprintf(text, sizeof(text), "{" BASE ", 'directories': ['%s']}", path);
	expect_fault(text, "directories[0]", "");
	path[FS_PATH_BYTES_MAX] = '\0';
	(void)snprintf(text, sizeof(text), "{" BASE ", 'directories': ['%s']}", path);
	CLEANUP(cleanup_job_spec) struct job_spec spec;
	read_ok(text, &spec);
}

TEST(paths_do_not_collide)
{
	EXPECT_FAULT("'files': [{'path': 'a', 'blob': '" HEX_A "'}, {'path': 'b', 'blob': '" HEX_A
		     "'}, {'path': 'a', 'blob': '" HEX_B "'}]",
		     "files[2].path", "files[0].path");
	EXPECT_FAULT("'files': [{'path': 'a/b', 'blob': '" HEX_A "'}, {'path': 'a', 'blob': '" HEX_A
		     "'}]",
		     "files[0].path", "below files[1].path");
	EXPECT_FAULT("'files': [{'path': 's.py', 'blob': '" HEX_A "'}]", "files[0].path",
		     "script.name");
	EXPECT_FAULT("'files': [{'path': 's.py/x', 'blob': '" HEX_A "'}]", "files[0].path",
		     "below script.name");
	EXPECT_FAULT("'directories': ['s.py']", "directories[0]", "script.name");
	EXPECT_FAULT("'directories': ['d', 'd']", "directories[1]", "directories[0]");
	EXPECT_FAULT("'files': [{'path': 'a', 'blob': '" HEX_A "'}], 'directories': ['a/b']",
		     "directories[0]", "below files[0].path");
	CLEANUP(cleanup_job_spec) struct job_spec spec;
	read_ok("{" BASE ", 'files': [{'path': 'd/a', 'blob': '" HEX_A "'}],"
		"'directories': ['d', 'd/e']}",
		&spec);
}

TEST(env_names_are_those_of_a_shell)
{
	EXPECT_FAULT("'env': {'': 'x'}", "env", "name");
	EXPECT_FAULT("'env': {'1A': 'x'}", "env", "\"1A\"");
	EXPECT_FAULT("'env': {'A-B': 'x'}", "env", "\"A-B\"");
	EXPECT_FAULT("'env': {'A=B': 'x'}", "env", "\"A=B\"");
	EXPECT_FAULT("'env': {'RGRID_JOB': 'x'}", "env", "RGRID_");
	EXPECT_FAULT("'env': {'A': null}", "env", "text");
}

TEST(names_and_labels_are_printable)
{
	EXPECT_FAULT("'name': ''", "name", "");
	EXPECT_FAULT("'name': 'a\\nb'", "name", "control");
	EXPECT_FAULT("'name': 'a\\u009bb'", "name", "control");
	EXPECT_FAULT("'labels': {'': 'x'}", "labels", "key");
	EXPECT_FAULT("'labels': {'a=b': 'x'}", "labels", "key");
	EXPECT_FAULT("'labels': {'a': ''}", "labels", "\"a\"");
	EXPECT_FAULT("'labels': {'a': '\\u0007'}", "labels", "\"a\"");
	CLEANUP(cleanup_job_spec) struct job_spec spec;
	read_ok("{" BASE ", 'name': 'n\xc3\xa4"
		"chtlich', 'labels': {'\xe4\xba\xba': '\xc2\xa0'}}",
		&spec);
}

TEST(the_prefix_is_part_of_every_field)
{
	CLEANUP(cleanup_json)
	json_t *json = parse("{" BASE ", 'files': [{'path': '/a', 'blob': '" HEX_A "'}]}");
	CLEANUP(cleanup_json) json_t *limits = parse("{" BASE ", 'limits': {'pids': 0}}");
	CLEANUP(cleanup_json) json_t *args = parse("{" BASE ", 'args': [1]}");
	CLEANUP(cleanup_json) json_t *none = parse("{}");

	expect_json_fault(json, "jobs[3]", "jobs[3].files[0].path", "");
	expect_json_fault(limits, "jobs[9999]", "jobs[9999].limits.pids", "");
	expect_json_fault(args, "jobs[0]", "jobs[0].args[0]", "");
	expect_json_fault(none, "jobs[0]", "jobs[0].runtime", "");
}

/* Specifications at and over the counted limits, built rather than spelled out. */
static json_t *with(const char *member, json_t *value)
{
	json_t *json = parse("{" BASE "}");

	json_object_set_new(json, member, value);
	return json;
}

static json_t *texts(size_t count, size_t bytes)
{
	CLEANUP(cleanup_free) char *text = xcalloc(bytes + 1, 1);
	json_t *array = json_array();

	memset(text, 'x', bytes);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(text));
	return array;
}

static json_t *numbered_map(const char *prefix, size_t count, const char *value)
{
	json_t *map = json_object();

	for (size_t i = 0; i < count; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "%s%zu", prefix, i);
		json_object_set_new(map, key, json_string(value));
	}
	return map;
}

static void expect_counted(const char *member, json_t *value, bool fits)
{
	CLEANUP(cleanup_json) json_t *json = with(member, value);
	struct job_spec spec;
	struct error err;

	if (!fits) {
		expect_json_fault(json, "", member, "");
		return;
	}
	EXPECT_OK(job_spec_read(json, "", &spec, &err), err);
	job_spec_release(&spec);
}

TEST(counts_and_sizes_have_limits)
{
	expect_counted("args", texts(LIMIT_ARGS_COUNT, 1), true);
	expect_counted("args", texts(LIMIT_ARGS_COUNT + 1, 1), false);
	expect_counted("args", texts(1, LIMIT_ARGS_BYTES - 1), true);
	expect_counted("args", texts(1, LIMIT_ARGS_BYTES), false);
	expect_counted("args", texts(2, LIMIT_ARGS_BYTES / 2), false);
	expect_counted("env", numbered_map("E", LIMIT_ENV_COUNT, "x"), true);
	expect_counted("env", numbered_map("E", LIMIT_ENV_COUNT + 1, "x"), false);
	expect_counted("labels", numbered_map("l", LIMIT_LABELS_COUNT, "x"), true);
	expect_counted("labels", numbered_map("l", LIMIT_LABELS_COUNT + 1, "x"), false);
}

TEST(the_whole_specification_has_a_size)
{
	CLEANUP(cleanup_json) json_t *value = texts(1, LIMIT_ENV_VALUE_BYTES);
	const char *longest = json_string_value(json_array_get(value, 0));
	CLEANUP(cleanup_json) json_t *json = with("env", numbered_map("E", 40, longest));

	expect_json_fault(json, "", "", "1048576");
	expect_json_fault(json, "jobs[2]", "jobs[2]", "blobs");
	expect_counted("env", numbered_map("E", 20, longest), true);
}

TEST(thousands_of_files_are_checked_without_comparing_every_pair)
{
	CLEANUP(cleanup_json) json_t *files = json_array();
	CLEANUP(cleanup_job_spec) struct job_spec spec = {0};
	struct error err;

	for (size_t i = 0; i < LIMIT_FILES_COUNT; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "d%zu/f%zu", i % 7, LIMIT_FILES_COUNT - i);
		json_array_append_new(files, json_pack("{s:s, s:s}", "path", path, "blob", HEX_A));
	}
	CLEANUP(cleanup_json) json_t *json = with("files", json_incref(files));
	EXPECT_OK(job_spec_read(json, "", &spec, &err), err);
	EXPECT_INT(spec.file_count, LIMIT_FILES_COUNT);
	json_array_append_new(files, json_pack("{s:s, s:s}", "path", "z", "blob", HEX_A));
	expect_json_fault(json, "", "files", "");
}

struct visits {
	char fields[256];
	size_t stop_after;
	size_t count;
};

static int note_blob(void *context, const uint8_t blob[SHA256_BYTES], const char *field)
{
	struct visits *visits = context;
	size_t bytes = strlen(visits->fields);

	(void)snprintf(visits->fields + bytes, sizeof(visits->fields) - bytes, "%s=%02x ", field,
		       blob[0]);
	return ++visits->count == visits->stop_after ? 42 : 0;
}

TEST(every_blob_is_visited)
{
	CLEANUP(cleanup_job_spec) struct job_spec spec;
	struct visits visits = {0};

	read_ok("{'runtime': 'exec', 'script': {'name': 's', 'blob': '" HEX_A "'},"
		"'stdin': {'blob': '" HEX_B "'}, 'files': [{'path': 'a', 'blob': '" HEX_A
		"'}, {'path': 'b', 'blob': '" HEX_B "'}]}",
		&spec);
	EXPECT_INT(job_spec_each_blob(&spec, note_blob, &visits), 0);
	EXPECT_STR(visits.fields,
		   "script.blob=aa stdin.blob=bb files[0].blob=aa files[1].blob=bb ");
	visits = (struct visits){.stop_after = 2};
	EXPECT_INT(job_spec_each_blob(&spec, note_blob, &visits), 42);
	EXPECT_INT(visits.count, 2);
}
