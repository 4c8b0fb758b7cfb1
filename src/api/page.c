#include "api/page.h"

#include "base/check.h"
#include "base/encode.h"
#include "base/str.h"

int page_read(const struct request *request, enum cursor_kind kind, int64_t start,
	      int64_t *ret_position, int64_t *ret_limit, struct error *err)
{
	const char *cursor = query_get(&request->query, "cursor");

	*ret_position = start;
	if (cursor != NULL && cursor_parse(cursor, kind, ret_position, 1, err) < 0)
		return -1;
	return request_limit(request, ret_limit, err);
}

/* The same request with another cursor, as a Link header of RFC 8288. Path arguments are left out
 * by naming only the query, which is relative to the request's own address. */
static void add_link(const struct request *request, struct reply *reply, const char *cursor)
{
	CLEANUP(cleanup_buf) struct buf link = {0};

	buf_init(&link, 4 * LIMIT_URL_BYTES);
	buf_append_str(&link, "<?");
	for (size_t i = 0; i < request->query.count; i++) {
		if (str_eq(request->query.params[i].name, "cursor"))
			continue;
		url_encode(&link, request->query.params[i].name, false);
		buf_append_char(&link, '=');
		url_encode(&link, request->query.params[i].value, false);
		buf_append_char(&link, '&');
	}
	buf_appendf(&link, "cursor=%s>; rel=\"next\"", cursor);
	if (!link.overflowed)
		reply_header(reply, MHD_HTTP_HEADER_LINK, link.data);
}

int page_reply(const struct request *request, struct reply *reply, json_t *items,
	       const char *cursor)
{
	json_t *next = cursor != NULL ? json_string(cursor) : json_null();

	if (cursor != NULL)
		add_link(request, reply, cursor);
	return reply_json(reply, MHD_HTTP_OK,
			  json_pack("{s:o, s:o}", "items", items, "next_cursor", next));
}

int page_reply_by_id(const struct request *request, struct reply *reply, json_t *items,
		     enum cursor_kind kind, int64_t limit, int64_t last_id)
{
	char cursor[CURSOR_TEXT_BYTES];
	bool is_full = json_array_size(items) == (size_t)limit;

	return page_reply(request, reply, items,
			  is_full ? cursor_format(kind, &last_id, 1, cursor) : NULL);
}
