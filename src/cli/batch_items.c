#include "cli/batch_items.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/outputs.h"
#include "core/limits.h"

#define LINE_BYTES_MAX	   LIMIT_ARGS_BYTES
#define ARGUMENT_BYTES_MAX (LIMIT_ARGS_BYTES * 2)
#define NAME_BYTES_MAX	   (LIMIT_NAME_BYTES - 32) /* leaves room for a number and a log's suffix */

void batch_items_release(struct batch_items *items)
{
	path_list_release(&items->texts);
	path_list_release(&items->names);
}

/* Open addressing over borrowed text; at most half full. */
struct name_set {
	char **slots;
	size_t slot_count;
};

static size_t slot_of(const struct name_set *set, const char *name)
{
	uint64_t hash = 14695981039346656037ULL;
	size_t slot;

	for (const char *at = name; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 1099511628211ULL;
	slot = (size_t)hash & (set->slot_count - 1);
	while (set->slots[slot] && !str_eq(set->slots[slot], name))
		slot = (slot + 1) & (set->slot_count - 1);
	return slot;
}

static bool name_set_has(const struct name_set *set, const char *name)
{
	return set->slots[slot_of(set, name)] != NULL;
}

static void name_set_add(struct name_set *set, char *name)
{
	set->slots[slot_of(set, name)] = name;
}

static void name_set_init(struct name_set *set, size_t count)
{
	set->slot_count = 16;
	while (set->slot_count < count * 2)
		set->slot_count *= 2;
	set->slots = xcalloc(set->slot_count, sizeof(set->slots[0]));
}

static void name_set_release(struct name_set *set)
{
	for (size_t i = 0; i < set->slot_count; i++)
		free(set->slots[i]);
	free(set->slots);
}

static bool is_free(const struct name_set *taken, const char *name)
{
	CLEANUP(cleanup_free) char *out = xasprintf("%s%s", name, OUTPUTS_STDOUT_SUFFIX);
	CLEANUP(cleanup_free) char *err = xasprintf("%s%s", name, OUTPUTS_STDERR_SUFFIX);

	return !name_set_has(taken, name) && !name_set_has(taken, out) && !name_set_has(taken, err);
}

static void reserve(struct name_set *taken, const char *name)
{
	name_set_add(taken, xstrdup(name));
	name_set_add(taken, xasprintf("%s%s", name, OUTPUTS_STDOUT_SUFFIX));
	name_set_add(taken, xasprintf("%s%s", name, OUTPUTS_STDERR_SUFFIX));
}

/* `wanted` made a clean relative path of bounded length; empty if nothing is left of it. */
static char *clean_name(const char *wanted, bool keep_slashes)
{
	struct buf name;
	size_t bytes = strlen(wanted);
	struct error ignored;

	if (bytes > NAME_BYTES_MAX)
		wanted += bytes - NAME_BYTES_MAX; /* the end tells items apart */
	buf_init(&name, FS_PATH_BYTES_MAX);
	for (; *wanted; wanted++) {
		unsigned char c = (unsigned char)*wanted;
		bool awkward = c < 0x20 || c == 0x7f || (c == '/' && !keep_slashes) ||
			       strchr("\\:*?\"<>|", c) != NULL;

		/* Not the tail of a cut UTF-8 sequence. */
		if (name.bytes == 0 && (c & 0xc0) == 0x80)
			continue;
		buf_append(&name, awkward ? "_" : wanted, 1);
	}
	if (fs_path_check_relative(name.data, &ignored) != 0)
		buf_clear(&name);
	return buf_detach(&name);
}

/* Reserves a unique name for item number `index`. */
static void add_name(struct batch_items *items, struct name_set *taken, const char *wanted,
		     bool keep_slashes, size_t index)
{
	CLEANUP(cleanup_free) char *name = clean_name(wanted, keep_slashes);

	if (name[0] == '\0' || strlen(wanted) > NAME_BYTES_MAX || !is_free(taken, name)) {
		char *numbered = xasprintf("%06zu%s%s", index + 1, name[0] ? "-" : "", name);

		/* A slash in the middle of a cut name would begin a directory of nonsense. */
		for (char *at = numbered; *at && strlen(wanted) > NAME_BYTES_MAX; at++)
			if (*at == '/')
				*at = '_';
		free(name);
		name = numbered;
	}
	for (size_t number = 2; !is_free(taken, name); number++) {
		free(name);
		name = xasprintf("%06zu_%zu", index + 1, number);
	}
	reserve(taken, name);
	path_list_add(&items->names, name);
}

static void add_names(struct batch_items *items, size_t skipped_bytes, bool keep_slashes)
{
	CLEANUP(name_set_release) struct name_set taken;

	name_set_init(&taken, items->texts.count * 3);
	for (size_t i = 0; i < items->texts.count; i++)
		add_name(items, &taken, items->texts.items[i] + skipped_bytes, keep_slashes, i);
}

/* How much of each file's path its name leaves out: "./", and for a pattern that leads out of the
 * current directory all that stands before the first wildcard. */
static size_t skipped_bytes(const char *pattern)
{
	const char *fixed_end = pattern + glob_fixed_bytes(pattern);
	const char *at = pattern;

	if (pattern[0] == '/')
		return (size_t)(fixed_end - pattern);
	while (str_has_prefix(at, "./"))
		at += 2 + strspn(at + 2, "/");
	for (const char *part = at; part < fixed_end; part += strcspn(part, "/") + 1) {
		if (str_has_prefix(part, "../"))
			return (size_t)(fixed_end - pattern);
	}
	return (size_t)(at - pattern);
}

int batch_items_from_glob(const char *pattern, struct batch_items *ret, struct error *err)
{
	CLEANUP(cleanup_batch_items) struct batch_items items = {0};
	size_t root = strspn(pattern, "/");

	/* glob_files reads any number of leading slashes as one. */
	pattern += root > 1 ? root - 1 : 0;
	if (glob_files(pattern, &items.texts, err) != 0)
		return -1;
	if (items.texts.count == 0) {
		error_set(err, ERR_INVALID, "no file matches \"%s\"", pattern);
		return glob_is_pattern(pattern)
			       ? error_hint(err, "** looks into directories of any depth")
			       : error_hint(err, "quote the pattern: --batch 'data/*.csv'");
	}
	add_names(&items, skipped_bytes(pattern), true);
	*ret = items;
	items = (struct batch_items){0};
	return 0;
}

static int add_line(struct path_list *texts, char *line, size_t number, struct error *err)
{
	size_t bytes = strcspn(line, "\r\n");

	line[bytes] = '\0';
	if (bytes == 0)
		return 0;
	if (bytes > LINE_BYTES_MAX)
		return error_set(err, ERR_TOO_LARGE, "line %zu is longer than %llu bytes", number,
				 LINE_BYTES_MAX);
	if (!str_is_utf8(line, bytes))
		return error_set(err, ERR_INVALID, "line %zu is not valid UTF-8", number);
	if (texts->count == GLOB_MATCHES_MAX)
		return error_set(err, ERR_TOO_LARGE, "more than %d lines", GLOB_MATCHES_MAX);
	path_list_add(texts, line);
	return 0;
}

int batch_items_from_lines(const char *path, struct batch_items *ret, struct error *err)
{
	CLEANUP(cleanup_batch_items) struct batch_items items = {0};
	CLEANUP(cleanup_file) FILE *opened = str_eq(path, "-") ? NULL : fopen(path, "re");
	CLEANUP(cleanup_free) char *line = NULL;
	FILE *file = opened ? opened : stdin;
	size_t capacity = 0;

	if (!opened && !str_eq(path, "-"))
		return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", path);
	for (size_t number = 1; getline(&line, &capacity, file) >= 0; number++) {
		if (add_line(&items.texts, line, number, err) != 0)
			return error_wrap(err, "%s", path);
	}
	if (ferror(file))
		return error_set_errno(err, ERR_INVALID, errno, "cannot read %s", path);
	if (items.texts.count == 0)
		return error_set(err, ERR_INVALID, "%s has no lines", path);
	add_names(&items, 0, false);
	*ret = items;
	items = (struct batch_items){0};
	return 0;
}

static char *substitute(const char *argument, const char *text, bool *ret_replaced)
{
	struct buf out;
	const char *place;

	buf_init(&out, ARGUMENT_BYTES_MAX);
	while ((place = strstr(argument, "{}")) != NULL) {
		buf_append(&out, argument, (size_t)(place - argument));
		buf_append_str(&out, text);
		argument = place + 2;
		*ret_replaced = true;
	}
	buf_append_str(&out, argument);
	return buf_detach(&out);
}

char **batch_item_arguments(const char *const *arguments, size_t count, const char *text,
			    size_t *ret_count)
{
	char **result = xcalloc(count + 2, sizeof(result[0]));
	bool replaced = false;

	for (size_t i = 0; i < count; i++)
		result[i] = substitute(arguments[i], text, &replaced);
	if (!replaced)
		result[count++] = xstrdup(text);
	*ret_count = count;
	return result;
}

void batch_item_arguments_free(char **arguments)
{
	for (char **at = arguments; at && *at; at++)
		free(*at);
	free(arguments);
}

void cleanup_batch_item_arguments(char ***arguments)
{
	batch_item_arguments_free(*arguments);
}
