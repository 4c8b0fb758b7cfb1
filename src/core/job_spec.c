#include "core/job_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/str.h"
#include "core/limits.h"
#include "core/path_set.h"
#include "core/runtime.h"

#define FIELD_BYTES sizeof(((struct json_reader *)NULL)->path)

/* "jobs[3].limits": the path of a member, for a reader of its own. */
static void member_path(const struct json_reader *reader, const char *name, char out[FIELD_BYTES])
{
	(void)snprintf(out, FIELD_BYTES, "%s%s%s", reader->path, reader->path[0] != '\0' ? "." : "",
		       name);
}

/* Makes the reader stop with the error that is already in reader->err, blaming `name`. */
static void fail_member(struct json_reader *reader, const char *name)
{
	char field[FIELD_BYTES];

	member_path(reader, name, field);
	error_field(reader->err, "%s", field);
	reader->failed = true;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		/* C0 controls and DEL; C1 controls are U+0080 to U+009F. */
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] < 0xa0))
			return false;
	}
	return true;
}

static void read_printable(struct json_reader *reader, const char *name, size_t bytes_max,
			   const char **ret)
{
	json_read_str(reader, name, 1, bytes_max, ret);
	if (!reader->failed && *ret != NULL && !is_printable(*ret))
		json_reader_fail(reader, name, "must not contain control characters");
}

static void read_path(struct json_reader *reader, const char *name, const char **ret)
{
	json_require(reader, name);
	json_read_str(reader, name, 1, FS_PATH_BYTES_MAX, ret);
	if (!reader->failed && fs_path_check_relative(*ret, reader->err) < 0)
		fail_member(reader, name);
}

/* *ret_present tells whether the member is there; absence is no failure. */
static void read_blob(struct json_reader *reader, const char *name, uint8_t ret[SHA256_BYTES],
		      bool *ret_present)
{
	const char *hex = NULL;

	json_read_str(reader, name, 0, SIZE_MAX, &hex);
	*ret_present = !reader->failed && hex != NULL;
	if (*ret_present && !sha256_from_hex(hex, ret))
		json_reader_fail(reader, name,
				 "must be a SHA-256: exactly 64 lower-case hexadecimal digits");
}

/* One word of a fixed choice. */
static void fail_choice(struct json_reader *reader, const char *name, const char *word,
			const char *const *choices, size_t count)
{
	char list[128] = "";
	size_t bytes = 0;
	const char *nearest = str_suggest(word, choices, count);

	for (size_t i = 0; i < count; i++) {
		int written = snprintf(list + bytes, sizeof(list) - bytes, "%s%s",
				       i == 0 ? "" : (i + 1 == count ? " or " : ", "), choices[i]);

		CHECK(written > 0 && (size_t)written < sizeof(list) - bytes);
		bytes += (size_t)written;
	}
	json_reader_fail(reader, name, "must be %s, not \"%.40s\"", list, word);
	if (nearest != NULL)
		error_hint(reader->err, "did you mean \"%s\"?", nearest);
}

#define RUNTIMES_MAX 16

static void read_runtime(struct json_reader *reader, struct job_spec *spec)
{
	const char *names[RUNTIMES_MAX];
	const char *name = NULL;

	CHECK(runtime_count() <= RUNTIMES_MAX);
	json_require(reader, "runtime");
	json_read_str(reader, "runtime", 0, SIZE_MAX, &name);
	if (reader->failed)
		return;
	spec->runtime = runtime_find(name);
	if (spec->runtime != NULL)
		return;
	for (size_t i = 0; i < runtime_count(); i++)
		names[i] = runtime_at(i)->name;
	fail_choice(reader, "runtime", name, names, runtime_count());
}

static void read_network(struct json_reader *reader, struct job_spec *spec)
{
	static const char *const names[] = {"none", "public"};
	const char *name = names[0];

	json_read_str(reader, "network", 0, SIZE_MAX, &name);
	if (reader->failed)
		return;
	if (str_eq(name, "none"))
		spec->network = NETWORK_NONE;
	else if (str_eq(name, "public"))
		spec->network = NETWORK_PUBLIC;
	else
		fail_choice(reader, "network", name, names, ARRAY_SIZE(names));
}

/* A reader for the object `name` of `outer`. False when there is none to read. */
static bool enter_object(struct json_reader *outer, const char *name, size_t count_max,
			 struct json_reader *ret)
{
	const json_t *object = NULL;
	char path[FIELD_BYTES];

	json_read_object(outer, name, count_max, &object);
	if (outer->failed || object == NULL)
		return false;
	member_path(outer, name, path);
	json_reader_init(ret, object, path, outer->err);
	return true;
}

static void leave_object(struct json_reader *outer, struct json_reader *inner)
{
	if (json_reader_finish(inner) < 0)
		outer->failed = true;
}

static void read_script(struct json_reader *outer, struct job_spec *spec)
{
	struct json_reader reader;

	json_require(outer, "script");
	if (!enter_object(outer, "script", SIZE_MAX, &reader))
		return;
	read_path(&reader, "name", &spec->script_name);
	read_blob(&reader, "blob", spec->script_blob, &spec->script_has_blob);
	json_read_str(&reader, "content", 0, LIMIT_INLINE_SCRIPT_BYTES, &spec->script_content);
	if (!reader.failed && spec->script_has_blob && spec->script_content != NULL)
		json_reader_fail(&reader, "content", "cannot be given together with \"blob\"");
	if (!reader.failed && !spec->script_has_blob && spec->script_content == NULL)
		json_reader_fail(&reader, "blob", "is missing: give \"blob\" or \"content\"");
	leave_object(outer, &reader);
}

static void read_stdin(struct json_reader *outer, struct job_spec *spec)
{
	struct json_reader reader;

	if (!enter_object(outer, "stdin", SIZE_MAX, &reader))
		return;
	json_require(&reader, "blob");
	read_blob(&reader, "blob", spec->stdin_blob, &spec->has_stdin);
	leave_object(outer, &reader);
}

static void read_limits(struct json_reader *outer, struct job_spec *spec)
{
	struct job_limits *limits = &spec->limits;
	struct json_reader reader;

	*limits = (struct job_limits){
		.cpu_millis = DEFAULT_CPU_MILLIS,
		.memory_bytes = DEFAULT_MEMORY_BYTES,
		.timeout_ms = DEFAULT_TIMEOUT_MS,
		.pids = DEFAULT_PIDS,
		.disk_bytes = DEFAULT_DISK_BYTES,
	};
	if (!enter_object(outer, "limits", SIZE_MAX, &reader))
		return;
	json_read_millis(&reader, "cpus", LIMIT_CPU_MILLIS_MIN, LIMIT_CPU_MILLIS_MAX,
			 &limits->cpu_millis);
	json_read_u64(&reader, "memory_bytes", LIMIT_MEMORY_BYTES_MIN, LIMIT_MEMORY_BYTES_MAX,
		      &limits->memory_bytes);
	json_read_u64(&reader, "timeout_ms", LIMIT_TIMEOUT_MS_MIN, LIMIT_TIMEOUT_MS_MAX,
		      &limits->timeout_ms);
	json_read_u64(&reader, "pids", LIMIT_PIDS_MIN, LIMIT_PIDS_MAX, &limits->pids);
	json_read_u64(&reader, "disk_bytes", LIMIT_DISK_BYTES_MIN, LIMIT_DISK_BYTES_MAX,
		      &limits->disk_bytes);
	leave_object(outer, &reader);
}

/* The text of list[index], or NULL after a failure that blames it. */
static const char *list_text(struct json_reader *reader, const char *list, size_t index,
			     const json_t *element)
{
	char name[FIELD_BYTES];

	(void)snprintf(name, sizeof(name), "%s[%zu]", list, index);
	if (!json_is_string(element))
		json_reader_fail(reader, name, "must be text%s",
				 json_is_number(element) ? ": put the number in quotes" : "");
	else if (strlen(json_string_value(element)) != json_string_length(element))
		json_reader_fail(reader, name, "must not contain a NUL character");
	else
		return json_string_value(element);
	return NULL;
}

static void read_args(struct json_reader *reader, struct job_spec *spec)
{
	const json_t *args = NULL;
	size_t bytes = 0;

	json_read_array(reader, "args", LIMIT_ARGS_COUNT, &args);
	if (reader->failed)
		return;
	spec->args = xcalloc(json_array_size(args) + 1, sizeof(spec->args[0]));
	for (size_t i = 0; i < json_array_size(args); i++) {
		const char *text = list_text(reader, "args", i, json_array_get(args, i));

		if (text == NULL)
			return;
		bytes += strlen(text) + 1;
		spec->args[spec->arg_count++] = text;
	}
	if (bytes > LIMIT_ARGS_BYTES)
		json_reader_fail(reader, "args",
				 "are %zu bytes together, more than the %llu allowed", bytes,
				 LIMIT_ARGS_BYTES);
}

static void read_directories(struct json_reader *reader, struct job_spec *spec)
{
	const json_t *directories = NULL;

	json_read_array(reader, "directories", LIMIT_FILES_COUNT, &directories);
	if (reader->failed)
		return;
	spec->directories = xcalloc(json_array_size(directories), sizeof(spec->directories[0]));
	for (size_t i = 0; i < json_array_size(directories); i++) {
		const char *path =
			list_text(reader, "directories", i, json_array_get(directories, i));

		if (path == NULL)
			return;
		if (fs_path_check_relative(path, reader->err) < 0) {
			char name[FIELD_BYTES];

			(void)snprintf(name, sizeof(name), "directories[%zu]", i);
			fail_member(reader, name);
			return;
		}
		spec->directories[spec->directory_count++] = path;
	}
}

static int read_file(const json_t *object, const char *path, struct job_file *ret,
		     struct error *err)
{
	struct json_reader reader;
	bool has_blob;

	json_reader_init(&reader, object, path, err);
	read_path(&reader, "path", &ret->path);
	json_require(&reader, "blob");
	read_blob(&reader, "blob", ret->blob, &has_blob);
	json_read_bool(&reader, "executable", &ret->executable);
	return json_reader_finish(&reader);
}

static void read_files(struct json_reader *reader, struct job_spec *spec)
{
	const json_t *files = NULL;

	json_read_array(reader, "files", LIMIT_FILES_COUNT, &files);
	if (reader->failed)
		return;
	spec->files = xcalloc(json_array_size(files), sizeof(spec->files[0]));
	for (size_t i = 0; i < json_array_size(files); i++) {
		char name[FIELD_BYTES];
		char path[FIELD_BYTES];

		(void)snprintf(name, sizeof(name), "files[%zu]", i);
		member_path(reader, name, path);
		if (read_file(json_array_get(files, i), path, &spec->files[i], reader->err) < 0) {
			reader->failed = true;
			return;
		}
		spec->file_count++;
	}
}

/* The member behind a path_entry's order: the script, then the files, then the directories. */
static void path_member(const struct job_spec *spec, size_t order, char out[FIELD_BYTES])
{
	if (order == 0)
		(void)snprintf(out, FIELD_BYTES, "script.name");
	else if (order <= spec->file_count)
		(void)snprintf(out, FIELD_BYTES, "files[%zu].path", order - 1);
	else
		(void)snprintf(out, FIELD_BYTES, "directories[%zu]", order - 1 - spec->file_count);
}

static void check_paths(struct json_reader *reader, const struct job_spec *spec)
{
	size_t count = 1 + spec->file_count + spec->directory_count;
	const struct path_entry *fault;
	const struct path_entry *other;
	char name[FIELD_BYTES];
	char other_name[FIELD_BYTES];

	if (reader->failed)
		return;
	CLEANUP(cleanup_free) struct path_entry *entries = xcalloc(count, sizeof(entries[0]));
	entries[0].path = spec->script_name;
	for (size_t i = 0; i < spec->file_count; i++)
		entries[1 + i].path = spec->files[i].path;
	for (size_t i = 0; i < spec->directory_count; i++) {
		entries[1 + spec->file_count + i].path = spec->directories[i];
		entries[1 + spec->file_count + i].is_directory = true;
	}
	for (size_t i = 0; i < count; i++)
		entries[i].order = i;
	if (!path_set_conflict(entries, count, &fault, &other))
		return;
	path_member(spec, fault->order, name);
	path_member(spec, other->order, other_name);
	if (str_eq(fault->path, other->path))
		json_reader_fail(reader, name, "is the same path as %s: \"%s\"", other_name,
				 fault->path);
	else
		json_reader_fail(reader, name, "lies below %s, which is a file: \"%s\"", other_name,
				 fault->path);
}

static bool is_env_name(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
	size_t bytes = strlen(name);

	return bytes > 0 && bytes <= LIMIT_ENV_KEY_BYTES && !(*name >= '0' && *name <= '9') &&
	       strspn(name, allowed) == bytes;
}

/* Text of 0 to bytes_max bytes, or NULL. */
static const char *text_within(const json_t *value, size_t bytes_max)
{
	const char *text = json_string_value(value);

	if (text == NULL || json_string_length(value) > bytes_max ||
	    strlen(text) != json_string_length(value))
		return NULL;
	return text;
}

static void read_env(struct json_reader *reader, struct job_spec *spec)
{
	const json_t *object = NULL;
	const char *key;
	json_t *value;

	json_read_object(reader, "env", LIMIT_ENV_COUNT, &object);
	if (reader->failed || object == NULL)
		return;
	spec->env = xcalloc(json_object_size(object), sizeof(spec->env[0]));
	json_object_foreach (json_object_get(spec->json, "env"), key, value) {
		const char *text = text_within(value, LIMIT_ENV_VALUE_BYTES);

		if (!is_env_name(key))
			json_reader_fail(reader, "env",
					 "names must be at most %d letters, digits and \"_\" and "
					 "not start with a digit: \"%s\"",
					 LIMIT_ENV_KEY_BYTES, key);
		else if (str_has_prefix(key, "RGRID_"))
			json_reader_fail(reader, "env",
					 "names that start with RGRID_ are set by RGrid: \"%s\"",
					 key);
		else if (text == NULL)
			json_reader_fail(reader, "env",
					 "must have text of at most %llu bytes without NUL "
					 "characters as the value of \"%s\"",
					 LIMIT_ENV_VALUE_BYTES, key);
		if (reader->failed)
			return;
		spec->env[spec->env_count++] = (struct job_env){.key = key, .value = text};
	}
}

static bool is_label_key(const char *key)
{
	return *key != '\0' && strlen(key) <= LIMIT_LABEL_BYTES && is_printable(key) &&
	       strchr(key, '=') == NULL;
}

void job_labels_read(struct json_reader *reader, const json_t **ret)
{
	const char *key;
	json_t *value;

	json_read_object(reader, "labels", LIMIT_LABELS_COUNT, ret);
	if (reader->failed || *ret == NULL)
		return;
	json_object_foreach (json_object_get(reader->object, "labels"), key, value) {
		const char *text = text_within(value, LIMIT_LABEL_BYTES);

		if (!is_label_key(key))
			json_reader_fail(
				reader, "labels",
				"must have keys of 1 to %d bytes of printable text without "
				"\"=\": \"%s\"",
				LIMIT_LABEL_BYTES, key);
		else if (text == NULL || *text == '\0' || !is_printable(text))
			json_reader_fail(reader, "labels",
					 "must have 1 to %d bytes of printable text as the value "
					 "of \"%s\"",
					 LIMIT_LABEL_BYTES, key);
		if (reader->failed)
			return;
	}
}

/* What is stored and sent to workers is the JSON itself. */
static void check_size(struct json_reader *reader, const struct job_spec *spec)
{
	size_t bytes;

	if (reader->failed)
		return;
	bytes = json_dumpb(spec->json, NULL, 0, JSON_COMPACT);
	if (bytes <= LIMIT_SPEC_BYTES)
		return;
	error_set(reader->err, ERR_INVALID,
		  "the specification is %zu bytes of JSON, more than the %llu allowed", bytes,
		  LIMIT_SPEC_BYTES);
	error_field(reader->err, "%s", reader->path);
	error_hint(reader->err, "upload large content as blobs and name them in \"files\"");
	reader->failed = true;
}

int job_spec_read(const json_t *json, const char *path, struct job_spec *ret, struct error *err)
{
	struct job_spec spec = {0};
	struct json_reader reader;

	/* jansson counts references inside the value, so a borrowed const must be shed once. */
	spec.json = json_incref((json_t *)(uintptr_t)json);
	json_reader_init(&reader, json, path, err);
	read_printable(&reader, "name", LIMIT_NAME_BYTES, &spec.name);
	read_runtime(&reader, &spec);
	read_script(&reader, &spec);
	read_args(&reader, &spec);
	read_stdin(&reader, &spec);
	read_files(&reader, &spec);
	read_directories(&reader, &spec);
	check_paths(&reader, &spec);
	read_env(&reader, &spec);
	read_limits(&reader, &spec);
	read_network(&reader, &spec);
	json_read_u64(&reader, "retries", 0, LIMIT_RETRIES, &spec.retries);
	job_labels_read(&reader, &spec.labels);
	check_size(&reader, &spec);
	if (json_reader_finish(&reader) < 0) {
		job_spec_release(&spec);
		return -1;
	}
	*ret = spec;
	return 0;
}

void job_spec_release(struct job_spec *spec)
{
	free(spec->args);
	free(spec->files);
	free(spec->directories);
	free(spec->env);
	json_decref(spec->json);
	*spec = (struct job_spec){0};
}

int job_spec_each_blob(const struct job_spec *spec,
		       int (*visit)(void *context, const uint8_t blob[SHA256_BYTES],
				    const char *field),
		       void *context)
{
	int result = 0;

	if (spec->script_has_blob)
		result = visit(context, spec->script_blob, "script.blob");
	if (result == 0 && spec->has_stdin)
		result = visit(context, spec->stdin_blob, "stdin.blob");
	for (size_t i = 0; i < spec->file_count && result == 0; i++) {
		char field[FIELD_BYTES];

		(void)snprintf(field, sizeof(field), "files[%zu].blob", i);
		result = visit(context, spec->files[i].blob, field);
	}
	return result;
}
