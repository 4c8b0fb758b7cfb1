#include "core/name_list.h"

#include <string.h>

static int add(const char *at, size_t bytes, struct name_list *ret, struct error *err)
{
	while (bytes > 0 && strchr(" \t", at[bytes - 1]) != NULL)
		bytes--;
	if (bytes == 0)
		return 0;
	if (bytes >= NAME_LIST_BYTES)
		return error_set(err, ERR_INVALID, "\"%.32s…\" is too long for a name", at);
	if (ret->count == NAME_LIST_MAX)
		return error_set(err, ERR_INVALID, "there are more than %d names", NAME_LIST_MAX);
	memcpy(ret->names[ret->count], at, bytes);
	ret->names[ret->count++][bytes] = '\0';
	return 0;
}

int name_list_parse(const char *text, struct name_list *ret, struct error *err)
{
	*ret = (struct name_list){.count = 0};
	for (const char *at = text; *at != '\0';) {
		at += strspn(at, ", \t");
		size_t bytes = strcspn(at, ",");
		if (add(at, bytes, ret, err) < 0)
			return -1;
		at += bytes;
	}
	return 0;
}
