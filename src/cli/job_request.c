#include "cli/job_request.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "core/job_spec.h"
#include "core/limits.h"
#include "core/runtime.h"

#define HEAD_BYTES    256
#define RUNTIMES_MAX  16
#define KEY_BYTES_MAX 512

static int refuse_runtime(const char *name, struct error *err)
{
	const char *names[RUNTIMES_MAX];
	size_t count = 0;
	const char *near;

	for (; count < runtime_count() && count < RUNTIMES_MAX; count++)
		names[count] = runtime_at(count)->name;
	near = str_suggest(name, names, count);
	error_set(err, ERR_INVALID, "there is no runtime \"%s\"", name);
	if (near)
		return error_hint(err, "did you mean \"%s\"?", near);
	return error_hint(err, "the runtimes are python, node, bash and exec");
}

static int guess_runtime(const char *script, const struct runtime **ret, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = open(script, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char head[HEAD_BYTES];
	ssize_t bytes;

	if (fd < 0 || (bytes = read(fd, head, sizeof(head))) < 0)
		return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", script);
	return runtime_guess(script, head, (size_t)bytes, ret, err);
}

int job_request_runtime(const struct job_options *options, const char *script,
			const struct runtime **ret, bool *ret_inexact, struct error *err)
{
	const struct runtime *found;
	CLEANUP(cleanup_free) char *stem = NULL;

	*ret_inexact = false;
	if (!options->runtime)
		return guess_runtime(script, ret, err);
	found = runtime_find(options->runtime);
	if (!found) {
		stem = xstrndup(options->runtime, strcspn(options->runtime, ":0123456789"));
		found = runtime_find(stem);
		*ret_inexact = found != NULL;
	}
	if (!found)
		return refuse_runtime(options->runtime, err);
	*ret = found;
	return 0;
}

static json_t *hex_text(const uint8_t digest[SHA256_BYTES])
{
	char hex[SHA256_HEX_BYTES];

	sha256_to_hex(digest, hex);
	return json_string(hex);
}

/* Splits "key=value" at the first '='; NULL value when there is none. */
static int split_pair(const char *pair, char key[KEY_BYTES_MAX], const char **ret_value,
		      struct error *err)
{
	size_t bytes = strcspn(pair, "=");

	if (bytes == 0 || bytes >= KEY_BYTES_MAX)
		return error_set(err, ERR_INVALID, "\"%.80s\" is not KEY=VALUE", pair);
	memcpy(key, pair, bytes);
	key[bytes] = '\0';
	*ret_value = pair[bytes] == '=' ? pair + bytes + 1 : NULL;
	return 0;
}

static int set_text(json_t *object, const char *key, const char *value, struct error *err)
{
	json_t *text = json_string(value);

	if (!text)
		return error_set(err, ERR_INVALID, "the value of %s is not valid UTF-8", key);
	if (json_object_set_new(object, key, text) != 0)
		return error_set(err, ERR_INVALID, "\"%s\" is not valid UTF-8", key);
	return 0;
}

static int add_env(json_t *job, const struct opt_list *env, struct error *err)
{
	json_t *object = json_object();

	json_object_set_new(job, "env", object);
	for (size_t i = 0; i < env->count; i++) {
		char key[KEY_BYTES_MAX];
		const char *value;

		if (split_pair(env->items[i], key, &value, err) != 0)
			return error_wrap(err, "--env");
		if (!value && !(value = getenv(key))) {
			error_set(err, ERR_INVALID, "--env: %s is not set here", key);
			return error_hint(err, "give it a value: --env %s=VALUE", key);
		}
		if (set_text(object, key, value, err) != 0)
			return error_wrap(err, "--env");
	}
	return 0;
}

int job_request_labels(const struct opt_list *labels, json_t **ret, struct error *err)
{
	CLEANUP(cleanup_json) json_t *object = labels->count ? json_object() : NULL;

	for (size_t i = 0; i < labels->count; i++) {
		char key[KEY_BYTES_MAX];
		const char *value;

		if (split_pair(labels->items[i], key, &value, err) != 0)
			return error_wrap(err, "--label");
		if (!value)
			return error_set(err, ERR_INVALID, "--label: \"%s\" is not KEY=VALUE", key);
		if (set_text(object, key, value, err) != 0)
			return error_wrap(err, "--label");
	}
	*ret = TAKE_PTR(object);
	return 0;
}

static void add_limits(json_t *job, const struct job_options *options)
{
	json_t *limits = json_object();

	if (options->cpu_millis)
		json_object_set_new(limits, "cpus",
				    json_real((double)options->cpu_millis / 1000.0));
	if (options->memory_bytes)
		json_object_set_new(limits, "memory_bytes",
				    json_integer((json_int_t)options->memory_bytes));
	if (options->timeout_ms)
		json_object_set_new(limits, "timeout_ms",
				    json_integer((json_int_t)options->timeout_ms));
	if (options->disk_bytes)
		json_object_set_new(limits, "disk_bytes",
				    json_integer((json_int_t)options->disk_bytes));
	if (options->pids)
		json_object_set_new(limits, "pids", json_integer((json_int_t)options->pids));
	json_object_set_new(job, "limits", limits);
}

/* The script's text when it is small and clean enough to travel in the request. */
static json_t *inline_text(const struct input_file *script)
{
	CLEANUP(cleanup_buf) struct buf text = {0};
	struct error ignored;

	buf_init(&text, LIMIT_INLINE_SCRIPT_BYTES);
	if (script->size_bytes > LIMIT_INLINE_SCRIPT_BYTES ||
	    fs_read(AT_FDCWD, script->source, &text, &ignored) != 0 ||
	    memchr(text.data, '\0', text.bytes))
		return NULL;
	return json_stringn(text.data, text.bytes); /* NULL unless UTF-8 */
}

static void add_script(json_t *job, const struct input_file *script, bool inline_script,
		       bool *ret_inlined)
{
	json_t *content = inline_script ? inline_text(script) : NULL;

	*ret_inlined = content != NULL;
	json_object_set_new(job, "script",
			    json_pack("{s:s, s:o}", "name", script->path,
				      content ? "content" : "blob",
				      content ? content : hex_text(script->sha256)));
}

static json_t *list_of(json_t *job, const char *name)
{
	json_t *list = json_object_get(job, name);

	if (!list) {
		list = json_array();
		json_object_set_new(job, name, list);
	}
	return list;
}

void job_request_add_file(json_t *job, const struct input_file *file)
{
	json_array_append_new(list_of(job, "files"),
			      json_pack("{s:s, s:o, s:b}", "path", file->path, "blob",
					hex_text(file->sha256), "executable", file->executable));
}

void job_request_add_directory(json_t *job, const char *path)
{
	json_array_append_new(list_of(job, "directories"), json_string(path));
}

int job_request_base(const struct job_options *options, const struct runtime *runtime,
		     const struct inputs *inputs, bool inline_script, json_t **ret,
		     bool *ret_inlined, struct error *err)
{
	CLEANUP(cleanup_json) json_t *job = json_object();
	json_t *labels = NULL;

	json_object_set_new(job, "runtime", json_string(runtime->name));
	add_script(job, &inputs->script, inline_script, ret_inlined);
	for (size_t i = 0; i < inputs->file_count; i++)
		job_request_add_file(job, &inputs->files[i]);
	for (size_t i = 0; i < inputs->directory_count; i++)
		job_request_add_directory(job, inputs->directories[i]);
	if (options->env.count && add_env(job, &options->env, err) != 0)
		return -1;
	if (job_request_labels(&options->labels, &labels, err) != 0)
		return -1;
	if (labels)
		json_object_set_new(job, "labels", labels);
	add_limits(job, options);
	if (options->network)
		json_object_set_new(job, "network", json_string(options->network));
	if (options->retries)
		json_object_set_new(job, "retries", json_integer((json_int_t)options->retries));
	*ret = TAKE_PTR(job);
	return 0;
}

void job_request_set_args(json_t *job, char *const *args, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(args[i]));
	json_object_set_new(job, "args", list);
}

/* Options have other names than the members that they become. */
static const char *option_of(const char *field)
{
	static const char *const pairs[][2] = {
		{"limits.cpus", "--cpus"},
		{"limits.memory_bytes", "--memory"},
		{"limits.timeout_ms", "--timeout"},
		{"limits.disk_bytes", "--disk"},
		{"limits.pids", "--pids"},
		{"network", "--network"},
		{"retries", "--retries"},
		{"labels", "--label"},
		{"env", "--env"},
		{"name", "--name"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (str_eq(pairs[i][0], field))
			return pairs[i][1];
	}
	return NULL;
}

int job_request_check(const json_t *job, struct error *err)
{
	struct job_spec spec;
	const char *option;

	if (job_spec_read(job, "", &spec, err) == 0) {
		job_spec_release(&spec);
		return 0;
	}
	option = option_of(err->field);
	return option ? error_wrap(err, "%s", option) : -1;
}
