#include "core/address_list.h"

#include <string.h>

#include "core/ipv4.h"

/* Where it stands, or would. */
static size_t place_of(const struct address_list *list, uint32_t address)
{
	size_t at = 0;

	while (at < list->count && list->items[at] < address)
		at++;
	return at;
}

static bool has(const struct address_list *list, uint32_t address)
{
	size_t at = place_of(list, address);

	return at < list->count && list->items[at] == address;
}

bool address_list_add(struct address_list *list, uint32_t address)
{
	size_t at = place_of(list, address);

	if (has(list, address))
		return true;
	if (!ipv4_is_public(address) || list->count == ADDRESS_LIST_MAX)
		return false;
	memmove(&list->items[at + 1], &list->items[at],
		(list->count - at) * sizeof(list->items[0]));
	list->items[at] = address;
	list->count++;
	return true;
}

bool address_list_equals(const struct address_list *a, const struct address_list *b)
{
	return a->count == b->count &&
	       memcmp(a->items, b->items, a->count * sizeof(a->items[0])) == 0;
}

/* NULL, or what is wrong with the line. */
static const char *take_line(struct address_list *list, const char *at, size_t bytes)
{
	char text[ADDRESS_LINE_BYTES];
	struct ipv4_range range = {0};
	struct error ignored = {0};

	/* A NUL would end the text before the line does. */
	if (bytes >= sizeof(text) || memchr(at, '\0', bytes) != NULL)
		return "is not an IPv4 address with /32";
	memcpy(text, at, bytes);
	text[bytes] = '\0';
	if (ipv4_range_parse(text, &range, &ignored) < 0)
		return "is not an IPv4 address with /32";
	if (range.prefix != 32)
		return "is more than one address";
	if (!ipv4_is_public(range.first))
		return "is no machine's address on the internet";
	if (has(list, range.first))
		return "repeats an address";
	return address_list_add(list, range.first) ? NULL : "is one too many";
}

int address_list_parse(const char *text, size_t bytes, struct address_list *ret, struct error *err)
{
	struct address_list list = {.count = 0};
	const char *end = text + bytes;
	unsigned line = 1;

	if (bytes > ADDRESS_LIST_BYTES_MAX)
		return error_set(err, ERR_TOO_LARGE, "%zu bytes are more than %d addresses", bytes,
				 ADDRESS_LIST_MAX);
	for (const char *at = text; at < end; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *fault = newline == NULL ? "has no end"
						    : take_line(&list, at, (size_t)(newline - at));

		if (fault != NULL)
			return error_set(err, ERR_INVALID, "line %u %s", line, fault);
		at = newline + 1;
	}
	*ret = list;
	return 0;
}

void address_list_write(const struct address_list *list, struct buf *out)
{
	char text[IPV4_BYTES];

	for (size_t i = 0; i < list->count; i++)
		buf_appendf(out, "%s/32\n", ipv4_format(list->items[i], text));
}
