#include "setup/env_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

#define MARK_BEGIN "# BEGIN RGRID NETWORK (rgrid network setup writes what is between the marks)"
#define MARK_END   "# END RGRID NETWORK"
#define NEW_MODE   0640

enum line_kind { LINE_OTHER = 1, LINE_BLOCK, LINE_NETWORK_ID, LINE_DB_IP };

/* One line of the text, with its end ("\n", or none for the last). */
struct line {
	const char *start;
	size_t bytes;
	enum line_kind kind;
};

/* A walk over the lines. */
struct walk {
	const char *at, *end;
	const char *block_end; /* of the block that at stands in; NULL outside */
	bool continued;	       /* the line before ends with a backslash: this one is part of it */
};

static size_t line_bytes(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));
	return newline == NULL ? (size_t)(end - at) : (size_t)(newline - at) + 1;
}

/* Without the line end. */
static size_t content_bytes(const char *start, size_t bytes)
{
	if (bytes > 0 && start[bytes - 1] == '\n')
		bytes--;
	if (bytes > 0 && start[bytes - 1] == '\r')
		bytes--;
	return bytes;
}

static bool is_mark(const char *start, size_t bytes, const char *mark)
{
	size_t content = content_bytes(start, bytes);
	return content == strlen(mark) && memcmp(start, mark, content) == 0;
}

static const char *skip_blank(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* Where the value of `name` begins if the line assigns it, else NULL. */
static const char *value_of(const char *start, size_t bytes, const char *name)
{
	const char *end = start + content_bytes(start, bytes);
	const char *at = skip_blank(start, end);
	size_t name_bytes = strlen(name);

	if ((size_t)(end - at) > 7 && memcmp(at, "export", 6) == 0 &&
	    (at[6] == ' ' || at[6] == '\t'))
		at = skip_blank(at + 6, end);
	if ((size_t)(end - at) <= name_bytes || memcmp(at, name, name_bytes) != 0)
		return NULL;
	at = skip_blank(at + name_bytes, end);
	return at < end && *at == '=' ? at + 1 : NULL;
}

/* Past the mark that ends the block which begins at `at`. A block that does not end, or in which
 * another begins, is no more than its first line: the rest is not known to be ours. */
static const char *block_end(const char *at, const char *end)
{
	const char *first_end = at + line_bytes(at, end);

	for (const char *next = first_end; next < end;) {
		size_t bytes = line_bytes(next, end);
		if (is_mark(next, bytes, MARK_END))
			return next + bytes;
		if (is_mark(next, bytes, MARK_BEGIN))
			break;
		next += bytes;
	}
	return first_end;
}

static enum line_kind kind_of(const char *start, size_t bytes)
{
	if (value_of(start, bytes, ENV_NETWORK_ID) != NULL)
		return LINE_NETWORK_ID;
	return value_of(start, bytes, ENV_DB_IP) != NULL ? LINE_DB_IP : LINE_OTHER;
}

static bool walk_next(struct walk *walk, struct line *ret)
{
	if (walk->at >= walk->end)
		return false;
	*ret = (struct line){walk->at, line_bytes(walk->at, walk->end), LINE_OTHER};
	if (walk->block_end != NULL && walk->at >= walk->block_end)
		walk->block_end = NULL;
	if (walk->block_end == NULL && !walk->continued &&
	    is_mark(ret->start, ret->bytes, MARK_BEGIN))
		walk->block_end = block_end(walk->at, walk->end);
	if (walk->block_end != NULL)
		ret->kind = LINE_BLOCK;
	else if (!walk->continued)
		ret->kind = kind_of(ret->start, ret->bytes);
	size_t content = content_bytes(ret->start, ret->bytes);
	const char *text = skip_blank(ret->start, ret->start + content);
	bool comment =
		!walk->continued && text < ret->start + content && (*text == '#' || *text == ';');
	walk->continued = walk->block_end == NULL && !comment && content > 0 &&
			  ret->start[content - 1] == '\\';
	walk->at += ret->bytes;
	return true;
}

/* Of a line that assigns the name: where its value begins, without blanks and quotes around it. */
static const char *bare_value(const struct line *line, const char *name, size_t *ret_bytes)
{
	const char *end = line->start + content_bytes(line->start, line->bytes);
	const char *at = skip_blank(value_of(line->start, line->bytes, name), end);

	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end - at >= 2 && (*at == '"' || *at == '\'') && end[-1] == *at) {
		at++;
		end--;
	}
	*ret_bytes = (size_t)(end - at);
	return at;
}

static void copy_value(const struct line *line, const char *name, char out[ENV_VALUE_BYTES])
{
	size_t bytes = 0;
	const char *value = bare_value(line, name, &bytes);

	if (bytes >= ENV_VALUE_BYTES)
		bytes = ENV_VALUE_BYTES - 1;
	memcpy(out, value, bytes);
	out[bytes] = '\0';
}

void env_text_read(const char *text, size_t bytes, struct env_values *ret)
{
	struct walk walk = {.at = text, .end = text + bytes};
	struct line line;

	*ret = (struct env_values){0};
	while (walk_next(&walk, &line)) {
		enum line_kind kind =
			line.kind == LINE_BLOCK ? kind_of(line.start, line.bytes) : line.kind;
		if (kind == LINE_NETWORK_ID) {
			copy_value(&line, ENV_NETWORK_ID, ret->network_id);
			ret->network_id_count++;
		} else if (kind == LINE_DB_IP) {
			copy_value(&line, ENV_DB_IP, ret->db_ip);
			ret->db_ip_count++;
		}
	}
}

bool env_text_find(const char *text, size_t bytes, const char *name, struct buf *out)
{
	struct walk walk = {.at = text, .end = text + bytes};
	struct line line;
	const char *value = NULL;
	size_t value_bytes = 0;

	for (bool continues = false; walk_next(&walk, &line); continues = walk.continued) {
		if (!continues && value_of(line.start, line.bytes, name) != NULL)
			value = bare_value(&line, name, &value_bytes);
	}
	if (value != NULL)
		buf_append(out, value, value_bytes);
	return value != NULL;
}

static void write_block(struct buf *out, const char *comment, const char *network_id,
			const char *db_ip)
{
	buf_append_str(out, MARK_BEGIN "\n");
	buf_appendf(out, "%s" ENV_NETWORK_ID "=%s\n", comment, network_id);
	buf_appendf(out, "%s" ENV_DB_IP "=%s\n", comment, db_ip);
	buf_append_str(out, MARK_END "\n");
}

/* Copies what is not ours, comments assignments out, and puts the block where the first one was;
 * without one it goes to the end if `append`. */
static void rewrite(const char *text, size_t bytes, const char *comment,
		    const struct env_values *values, bool append, struct buf *out)
{
	struct walk walk = {.at = text, .end = text + bytes};
	struct line line;
	bool written = false;

	while (walk_next(&walk, &line)) {
		if (line.kind == LINE_BLOCK) {
			if (!written)
				write_block(out, comment, values->network_id, values->db_ip);
			written = true;
			continue;
		}
		if (line.kind != LINE_OTHER)
			buf_append_str(out, "# ");
		buf_append(out, line.start, line.bytes);
	}
	if (written || !append)
		return;
	if (out->bytes > 0 && out->data[out->bytes - 1] != '\n')
		buf_append_char(out, '\n');
	write_block(out, comment, values->network_id, values->db_ip);
}

void env_text_set(const char *text, size_t bytes, const char *network_id, const char *db_ip,
		  struct buf *out)
{
	struct env_values found;
	struct env_values wanted = {0};

	env_text_read(text, bytes, &found);
	if (str_eq(found.network_id, network_id) && str_eq(found.db_ip, db_ip) &&
	    found.network_id_count == 1 && found.db_ip_count == 1) {
		buf_append(out, text, bytes);
		return;
	}
	(void)snprintf(wanted.network_id, sizeof(wanted.network_id), "%s", network_id);
	(void)snprintf(wanted.db_ip, sizeof(wanted.db_ip), "%s", db_ip);
	rewrite(text, bytes, "", &wanted, true, out);
}

void env_text_unset(const char *text, size_t bytes, struct buf *out)
{
	struct env_values found;

	env_text_read(text, bytes, &found);
	if (found.network_id_count == 0 && found.db_ip_count == 0)
		buf_append(out, text, bytes);
	else
		rewrite(text, bytes, "# ", &found, false, out);
}

void env_text_assign(const char *text, size_t bytes, const struct env_assignment *assignment,
		     struct buf *out)
{
	struct walk walk = {.at = text, .end = text + bytes};
	struct line line;
	const char *in_force = NULL;
	bool in_line = false; /* the one in force, which may go on over several */

	for (bool continues = false; walk_next(&walk, &line); continues = walk.continued) {
		if (!continues && value_of(line.start, line.bytes, assignment->name) != NULL)
			in_force = line.start;
	}
	walk = (struct walk){.at = text, .end = text + bytes};
	while (walk_next(&walk, &line)) {
		if (line.start == in_force)
			buf_appendf(out, "%s=%s\n", assignment->name, assignment->value);
		in_line = line.start == in_force || in_line;
		if (!in_line)
			buf_append(out, line.start, line.bytes);
		in_line = in_line && walk.continued;
	}
	if (in_force != NULL)
		return;
	if (out->bytes > 0 && out->data[out->bytes - 1] != '\n')
		buf_append_char(out, '\n');
	buf_appendf(out, "%s=%s\n", assignment->name, assignment->value);
}

static bool assigns_any(const struct line *line, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (value_of(line->start, line->bytes, names[i]) != NULL)
			return true;
	}
	return false;
}

void env_text_remove(const char *text, size_t bytes, const char *const *names, size_t count,
		     struct buf *out)
{
	struct walk walk = {.at = text, .end = text + bytes};
	struct line line;
	bool removing = false; /* an assignment may go on over several lines */

	for (bool continues = false; walk_next(&walk, &line); continues = walk.continued) {
		removing = continues ? removing : assigns_any(&line, names, count);
		if (!removing)
			buf_append(out, line.start, line.bytes);
	}
}

/* An absent file reads as empty. */
static int read_text(const char *path, struct buf *out, bool *ret_exists, struct error *err)
{
	bool exists = fs_read(AT_FDCWD, path, out, err) == 0;

	if (!exists && err->code != ERR_NOT_FOUND)
		return -1;
	error_clear(err);
	if (ret_exists != NULL)
		*ret_exists = exists;
	return 0;
}

int env_file_read(const char *path, struct env_values *ret, bool *ret_exists, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, ENV_FILE_BYTES_MAX);
	if (read_text(path, &text, ret_exists, err) < 0)
		return -1;
	env_text_read(text.data, text.bytes, ret);
	return 0;
}

bool env_file_find(const char *path, const char *name, struct buf *out)
{
	CLEANUP(cleanup_buf) struct buf text;
	struct error err = {0};

	buf_init(&text, ENV_FILE_BYTES_MAX);
	return read_text(path, &text, NULL, &err) == 0 &&
	       env_text_find(text.data, text.bytes, name, out);
}

static int replace(const char *path, const struct buf *before, const struct buf *after,
		   bool *ret_changed, struct error *err)
{
	bool changed = before->bytes != after->bytes ||
		       memcmp(before->data, after->data, after->bytes) != 0;

	if (after->overflowed)
		return error_set(err, ERR_TOO_LARGE, "%s is too large", path);
	if (changed && fs_replace(path, after->data, after->bytes, NEW_MODE, err) < 0)
		return -1;
	*ret_changed = changed;
	return 0;
}

int env_file_set(const char *path, const char *network_id, const char *db_ip, bool *ret_changed,
		 struct error *err)
{
	CLEANUP(cleanup_buf) struct buf before;
	CLEANUP(cleanup_buf) struct buf after;

	buf_init(&before, ENV_FILE_BYTES_MAX);
	buf_init(&after, ENV_FILE_BYTES_MAX);
	if (read_text(path, &before, NULL, err) < 0)
		return -1;
	env_text_set(before.data, before.bytes, network_id, db_ip, &after);
	return replace(path, &before, &after, ret_changed, err);
}

int env_file_assign(const char *path, const struct env_assignment *assignments, size_t count,
		    bool *ret_changed, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf before;
	CLEANUP(cleanup_buf) struct buf after;

	buf_init(&before, ENV_FILE_BYTES_MAX);
	buf_init(&after, ENV_FILE_BYTES_MAX);
	if (read_text(path, &before, NULL, err) < 0)
		return -1;
	buf_append(&after, before.data, before.bytes);
	for (size_t i = 0; i < count; i++) {
		CLEANUP(cleanup_buf) struct buf found;
		CLEANUP(cleanup_buf) struct buf next;
		buf_init(&found, ENV_FILE_BYTES_MAX);
		buf_init(&next, ENV_FILE_BYTES_MAX);
		if (env_text_find(after.data, after.bytes, assignments[i].name, &found) &&
		    found.bytes == strlen(assignments[i].value) &&
		    memcmp(found.data, assignments[i].value, found.bytes) == 0)
			continue;
		env_text_assign(after.data, after.bytes, &assignments[i], &next);
		if (next.overflowed)
			return error_set(err, ERR_TOO_LARGE, "%s is too large", path);
		buf_clear(&after);
		buf_append(&after, next.data, next.bytes);
	}
	return replace(path, &before, &after, ret_changed, err);
}

int env_file_remove(const char *path, const char *const *names, size_t count, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf before;
	CLEANUP(cleanup_buf) struct buf after;
	bool changed = false;

	buf_init(&before, ENV_FILE_BYTES_MAX);
	buf_init(&after, ENV_FILE_BYTES_MAX);
	if (read_text(path, &before, NULL, err) < 0)
		return -1;
	env_text_remove(before.data, before.bytes, names, count, &after);
	return replace(path, &before, &after, &changed, err);
}

int env_file_unset(const char *path, bool *ret_changed, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf before;
	CLEANUP(cleanup_buf) struct buf after;

	buf_init(&before, ENV_FILE_BYTES_MAX);
	buf_init(&after, ENV_FILE_BYTES_MAX);
	if (read_text(path, &before, NULL, err) < 0)
		return -1;
	env_text_unset(before.data, before.bytes, &after);
	return replace(path, &before, &after, ret_changed, err);
}

bool env_file_is_writable(const char *path)
{
	const char *name = fs_basename(path);
	CLEANUP(cleanup_free)
	char *directory = name == path ? xstrdup(".") : xstrndup(path, (size_t)(name - path));

	return access(directory, W_OK | X_OK) == 0;
}
