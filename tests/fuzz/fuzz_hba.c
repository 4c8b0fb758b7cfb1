/* Any pg_hba.conf: our block goes in at the top, and out again, and what is not ours stays. */
#include "base/check.h"
#include "setup/db_exposure.h"

#define BLOCK DB_HBA_BEGIN "\nours\n" DB_HBA_END "\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static bool same(const struct buf *a, const struct buf *b)
{
	return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	CLEANUP(cleanup_buf) struct buf text;
	CLEANUP(cleanup_buf) struct buf with;
	CLEANUP(cleanup_buf) struct buf again;
	CLEANUP(cleanup_buf) struct buf without;
	CLEANUP(cleanup_buf) struct buf plain;
	struct error err = {0};

	buf_init(&text, DB_TEXT_BYTES_MAX);
	buf_init(&with, DB_TEXT_BYTES_MAX);
	buf_init(&again, DB_TEXT_BYTES_MAX);
	buf_init(&without, DB_TEXT_BYTES_MAX);
	buf_init(&plain, DB_TEXT_BYTES_MAX);
	buf_append(&text, data, bytes);
	if (db_hba_set(text.data, text.bytes, BLOCK, &with, &err) < 0)
		return 0;
	CHECK(memcmp(with.data, BLOCK, strlen(BLOCK)) == 0);
	CHECK(db_hba_set(with.data, with.bytes, BLOCK, &again, &err) == 0 && same(&with, &again));
	CHECK(db_hba_set(text.data, text.bytes, "", &plain, &err) == 0);
	CHECK(db_hba_set(with.data, with.bytes, "", &without, &err) == 0 && same(&plain, &without));
	if (memmem(data, bytes, "RGRID DATABASE", 14) == NULL)
		CHECK(same(&text, &plain));
	return 0;
}
