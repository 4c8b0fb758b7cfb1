#include "core/server_choice.h"

#include <string.h>

static int take(const char *text, size_t bytes, char out[FLEET_NAME_BYTES])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (bytes == 0 || bytes >= FLEET_NAME_BYTES || strspn(text, allowed) < bytes)
		return -1;
	memcpy(out, text, bytes);
	out[bytes] = '\0';
	return 0;
}

int server_choices_parse(const char *text, struct server_choice *choices, size_t max,
			 size_t *ret_count, struct error *err)
{
	size_t count = 0;

	for (const char *at = text + strspn(text, ", "); *at != '\0'; at += strspn(at, ", ")) {
		size_t bytes = strcspn(at, ", ");
		const char *colon = memchr(at, ':', bytes);

		if (count == max)
			return error_set(err, ERR_INVALID, "there are more than %zu server choices",
					 max);
		if (!colon || take(at, (size_t)(colon - at), choices[count].server_type) < 0 ||
		    take(colon + 1, (size_t)(at + bytes - colon - 1), choices[count].location) <
			    0) {
			(void)error_set(err, ERR_INVALID,
					"\"%.*s\" is not a server type and a location",
					(int)(bytes < 64 ? bytes : 64), at);
			return error_hint(err, "write them as cx23:nbg1, in order of preference, "
					       "with commas between them");
		}
		count++;
		at += bytes;
	}
	if (count == 0)
		return error_set(err, ERR_INVALID, "no server type is configured");
	*ret_count = count;
	return 0;
}
