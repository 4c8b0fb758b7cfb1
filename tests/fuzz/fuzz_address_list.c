/* Any file as the list of workers' public addresses: what is taken holds nothing but single public
 * addresses, and comes back the same when it is written and read again. */
#include "base/check.h"
#include "core/address_list.h"
#include "core/ipv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	CLEANUP(cleanup_buf) struct buf text;
	struct address_list list;
	struct address_list again;
	struct error err = {0};
	size_t lines = 0;

	buf_init(&text, ADDRESS_LIST_BYTES_MAX);
	if (address_list_parse((const char *)data, bytes, &list, &err) < 0)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		lines += data[i] == '\n';
	CHECK(list.count == lines && list.count <= ADDRESS_LIST_MAX);
	for (size_t i = 0; i < list.count; i++)
		CHECK(ipv4_is_public(list.items[i]) &&
		      (i == 0 || list.items[i - 1] < list.items[i]));
	address_list_write(&list, &text);
	CHECK(!text.overflowed && text.bytes == bytes);
	CHECK(address_list_parse(text.data, text.bytes, &again, &err) == 0);
	CHECK(address_list_equals(&list, &again));
	return 0;
}
