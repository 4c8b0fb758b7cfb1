#include "core/runtime.h"

#include <stdbool.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/str.h"

static const char *const python_argv[] = {"python3", NULL};
static const char *const python_extensions[] = {".py", NULL};
static const char *const python_interpreters[] = {"python3", "python", NULL};

static const char *const node_argv[] = {"node", NULL};
static const char *const node_extensions[] = {".js", ".mjs", ".cjs", NULL};
static const char *const node_interpreters[] = {"node", "nodejs", NULL};

static const char *const bash_argv[] = {"bash", NULL};
static const char *const bash_extensions[] = {".sh", ".bash", NULL};
static const char *const bash_interpreters[] = {"bash", NULL};

static const char *const nothing[] = {NULL};

enum { RUNTIME_PYTHON, RUNTIME_NODE, RUNTIME_BASH, RUNTIME_EXEC, RUNTIME_COUNT };

static const struct runtime runtimes[RUNTIME_COUNT] = {
	[RUNTIME_PYTHON] = {"python", python_argv, python_extensions, python_interpreters,
			    "python3"},
	[RUNTIME_NODE] = {"node", node_argv, node_extensions, node_interpreters, "nodejs"},
	[RUNTIME_BASH] = {"bash", bash_argv, bash_extensions, bash_interpreters, "bash"},
	[RUNTIME_EXEC] = {"exec", nothing, nothing, nothing, "coreutils"},
};

const struct runtime *runtime_find(const char *name)
{
	for (size_t i = 0; i < RUNTIME_COUNT; i++) {
		if (str_eq(name, runtimes[i].name))
			return &runtimes[i];
	}
	return NULL;
}

size_t runtime_count(void)
{
	return RUNTIME_COUNT;
}

const struct runtime *runtime_at(size_t index)
{
	CHECK(index < RUNTIME_COUNT);
	return &runtimes[index];
}

static const struct runtime *find_by_extension(const char *path)
{
	for (size_t i = 0; i < RUNTIME_COUNT; i++) {
		for (const char *const *extension = runtimes[i].extensions; *extension; extension++)
			if (str_has_suffix(path, *extension))
				return &runtimes[i];
	}
	return NULL;
}

/* A word of the shebang line; not NUL-terminated. */
struct word {
	const char *text;
	size_t bytes;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word from *at, up to `end`; empty when there is none. */
static struct word next_word(const char **at, const char *end)
{
	struct word word;

	while (*at < end && is_blank(**at))
		(*at)++;
	word.text = *at;
	while (*at < end && !is_blank(**at))
		(*at)++;
	word.bytes = (size_t)(*at - word.text);
	return word;
}

static bool word_is(struct word word, const char *text)
{
	return word.bytes == strlen(text) && memcmp(word.text, text, word.bytes) == 0;
}

static struct word word_basename(struct word word)
{
	const char *slash = memrchr(word.text, '/', word.bytes);

	if (slash != NULL) {
		word.bytes -= (size_t)(slash + 1 - word.text);
		word.text = slash + 1;
	}
	return word;
}

/* The runtime of the line after "#!". An interpreter that no runtime names, or one with options
 * of its own, is left to the kernel (exec), which honours the line to the letter. NULL when the
 * line names nothing. */
static const struct runtime *find_by_shebang(const char *line, const char *end)
{
	struct word interpreter = next_word(&line, end);
	bool has_more;

	if (interpreter.bytes == 0)
		return NULL;
	interpreter = word_basename(interpreter);
	if (word_is(interpreter, "env")) {
		interpreter = next_word(&line, end);
		if (word_is(interpreter, "-S"))
			interpreter = next_word(&line, end);
		interpreter = word_basename(interpreter);
	}
	has_more = next_word(&line, end).bytes > 0;
	for (size_t i = 0; i < RUNTIME_COUNT && !has_more; i++) {
		for (const char *const *name = runtimes[i].interpreters; *name; name++)
			if (word_is(interpreter, *name))
				return &runtimes[i];
	}
	return &runtimes[RUNTIME_EXEC];
}

static const struct runtime *find_by_head(const char *head, size_t bytes)
{
	const char *end;

	if (bytes >= 4 && memcmp(head, "\177ELF", 4) == 0)
		return &runtimes[RUNTIME_EXEC];
	if (bytes < 2 || memcmp(head, "#!", 2) != 0)
		return NULL;
	end = memchr(head, '\n', bytes);
	return find_by_shebang(head + 2, end != NULL ? end : head + bytes);
}

int runtime_guess(const char *path, const char *head, size_t head_bytes, const struct runtime **ret,
		  struct error *err)
{
	const struct runtime *runtime = find_by_extension(path);

	if (runtime == NULL)
		runtime = find_by_head(head, head_bytes);
	if (runtime == NULL) {
		error_set(err, ERR_INVALID, "cannot tell how to run %s", fs_basename(path));
		return error_hint(err, "give it an extension (.py .js .sh), a first line like "
				       "\"#!/usr/bin/env python3\", or name the runtime: python, "
				       "node, bash or exec");
	}
	*ret = runtime;
	return 0;
}
