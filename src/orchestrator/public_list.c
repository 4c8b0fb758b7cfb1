#include "orchestrator/public_list.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "core/address_list.h"
#include "core/ipv4.h"

#define FILE_MODE 0640

struct entry {
	int64_t server_id;
	uint32_t address;
};

struct public_list {
	const char *path;
	struct entry *entries;
	size_t count;
	size_t room;
	bool is_complete;	     /* there was a listing */
	bool is_written;	     /* the file says: */
	struct address_list written; /* … this */
};

struct public_list *public_list_new(const char *path)
{
	struct public_list *list = xcalloc(1, sizeof(*list));

	list->path = path;
	return list;
}

void public_list_free(struct public_list *list)
{
	if (list == NULL)
		return;
	free(list->entries);
	free(list);
}

void public_list_clear(struct public_list *list)
{
	list->count = 0;
	list->is_complete = true;
}

void public_list_add(struct public_list *list, int64_t server_id, const char *address)
{
	struct error ignored = {0};
	uint32_t number = 0;

	if (ipv4_parse(address, &number, &ignored) < 0 || !ipv4_is_public(number))
		return;
	if (list->count == list->room) {
		list->room = list->room * 2 + 16;
		list->entries = xreallocarray(list->entries, list->room, sizeof(*list->entries));
	}
	list->entries[list->count++] = (struct entry){server_id, number};
}

void public_list_remove(struct public_list *list, int64_t server_id)
{
	for (size_t i = list->count; i > 0; i--) {
		if (list->entries[i - 1].server_id == server_id)
			list->entries[i - 1] = list->entries[--list->count];
	}
}

/* Of another process, or none of ours: the same bytes need no writing. */
static bool file_says(const char *path, const struct buf *text)
{
	CLEANUP(cleanup_buf) struct buf now;
	struct error ignored = {0};

	buf_init(&now, ADDRESS_LIST_BYTES_MAX);
	return fs_read_regular(path, &now, &ignored) == 0 && now.bytes == text->bytes &&
	       (now.bytes == 0 || memcmp(now.data, text->data, now.bytes) == 0);
}

int public_list_publish(struct public_list *list, struct error *err)
{
	struct address_list wanted = {.count = 0};
	CLEANUP(cleanup_buf) struct buf text;
	size_t left_out = 0;

	buf_init(&text, ADDRESS_LIST_BYTES_MAX);
	if (!list->is_complete)
		return 0;
	for (size_t i = 0; i < list->count; i++)
		left_out += !address_list_add(&wanted, list->entries[i].address);
	if (list->is_written && address_list_equals(&wanted, &list->written))
		return 0;
	address_list_write(&wanted, &text);
	if (!file_says(list->path, &text) &&
	    fs_write_atomic(list->path, text.bytes > 0 ? text.data : "", text.bytes, FILE_MODE,
			    err) < 0)
		return error_wrap(err, "the list of workers' public addresses");
	list->written = wanted;
	list->is_written = true;
	if (left_out == 0)
		return 0;
	return error_set(err, ERR_LIMIT, "%zu servers are too many for %s: it takes %d", left_out,
			 list->path, ADDRESS_LIST_MAX);
}
