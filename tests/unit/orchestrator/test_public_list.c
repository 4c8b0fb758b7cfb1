/* The file of workers' public addresses: when it is written, and with what. */
#include "orchestrator/public_list.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "core/address_list.h"
#include "core/ipv4.h"
#include "tap.h"

struct place {
	char directory[32];
	char *path;
	struct public_list *list;
};

static void place_make(struct place *place)
{
	(void)snprintf(place->directory, sizeof(place->directory), "/tmp/public-list-XXXXXX");
	EXPECT(mkdtemp(place->directory) != NULL);
	place->path = xasprintf("%s/workers", place->directory);
	place->list = public_list_new(place->path);
}

static void place_release(struct place *place)
{
	struct error err = {0};

	public_list_free(place->list);
	free(place->path);
	EXPECT_OK(fs_remove_all(AT_FDCWD, place->directory, &err), err);
}

static void expect_file(const struct place *place, const char *text)
{
	struct buf now;
	struct error err = {0};

	buf_init(&now, ADDRESS_LIST_BYTES_MAX);
	EXPECT_OK(fs_read(AT_FDCWD, place->path, &now, &err), err);
	EXPECT_STR(now.bytes > 0 ? now.data : "", text);
	buf_release(&now);
}

static void publish(struct place *place)
{
	struct error err = {0};

	EXPECT_OK(public_list_publish(place->list, &err), err);
}

TEST(nothing_is_written_before_a_listing)
{
	struct place place;

	place_make(&place);
	public_list_add(place.list, 1, "46.1.2.3");
	publish(&place);
	EXPECT(access(place.path, F_OK) != 0);
	public_list_clear(place.list);
	publish(&place);
	expect_file(&place, "");
	place_release(&place);
}

TEST(servers_come_and_go)
{
	struct place place;

	place_make(&place);
	public_list_clear(place.list);
	public_list_add(place.list, 1, "46.1.2.3");
	public_list_add(place.list, 2, "");
	public_list_add(place.list, 3, "10.0.1.3");
	public_list_add(place.list, 4, "9.9.9.9");
	publish(&place);
	expect_file(&place, "9.9.9.9/32\n46.1.2.3/32\n");
	public_list_remove(place.list, 4);
	public_list_remove(place.list, 5);
	publish(&place);
	expect_file(&place, "46.1.2.3/32\n");
	place_release(&place);
}

TEST(what_failed_is_tried_again)
{
	struct place place;
	struct error err = {0};

	place_make(&place);
	EXPECT_INT(rmdir(place.directory), 0);
	public_list_clear(place.list);
	public_list_add(place.list, 1, "46.1.2.3");
	EXPECT(public_list_publish(place.list, &err) < 0);
	EXPECT_OK(fs_mkdir_all(place.directory, 0700, &err), err);
	publish(&place);
	expect_file(&place, "46.1.2.3/32\n");
	place_release(&place);
}

TEST(too_many_are_said_and_the_file_stays_readable)
{
	struct place place;
	struct error err = {0};
	struct address_list read;
	struct buf text;

	place_make(&place);
	public_list_clear(place.list);
	for (uint32_t i = 0; i <= ADDRESS_LIST_MAX; i++) {
		char address[IPV4_BYTES];
		public_list_add(place.list, i + 1, ipv4_format(0x2e000001 + i, address));
	}
	EXPECT_ERR(public_list_publish(place.list, &err), err, ERR_LIMIT);
	buf_init(&text, ADDRESS_LIST_BYTES_MAX);
	EXPECT_OK(fs_read(AT_FDCWD, place.path, &text, &err), err);
	EXPECT_OK(address_list_parse(text.data, text.bytes, &read, &err), err);
	EXPECT_INT(read.count, ADDRESS_LIST_MAX);
	buf_release(&text);
	place_release(&place);
}
