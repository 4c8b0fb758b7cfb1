/* Answers of the API that more than one test program writes down. */
#pragma once

#define ERROR_BODY(code, text) \
	"{\"error\":{\"code\":\"" code "\",\"message\":\"" text "\",\"details\":null}}"
#define NAMED_PAGE(page, next, total, items) NAMED_PAGE_OF(page, next, "null", total, items)
#define NAMED_PAGE_OF(page, next, last, total, items)                                            \
	"{\"ssh_keys\":[" items "],\"meta\":{\"pagination\":{\"page\":" page ",\"per_page\":50," \
	"\"previous_page\":null,\"next_page\":" next ",\"last_page\":" last                      \
	",\"total_entries\":" total "}}}"
#define KEY(id) "{\"id\":" id ",\"name\":\"k" id "\",\"labels\":{}}"
