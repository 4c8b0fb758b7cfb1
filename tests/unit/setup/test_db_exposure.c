/* The texts of an exposed database, and the marked block in pg_hba.conf. */
#include "setup/db_exposure.h"

#include "tap.h"

static const char *const subnet[] = {"10.0.1.0/24"};
static const struct db_exposure good = {.database = "rgrid",
					.ip = "10.0.1.2",
					.sources = subnet,
					.source_count = 1,
					.pem = "/etc/x.pem",
					.port = 5433,
					.api_port = 8443};

#define BLOCK DB_HBA_BEGIN "\nnew\n" DB_HBA_END "\n"

static void expect_set(const char *before, const char *block, const char *after)
{
	struct buf out;
	struct error err = {0};

	buf_init(&out, 4096);
	EXPECT_OK(db_hba_set(before, strlen(before), block, &out, &err), err);
	EXPECT_STR(out.data, after);
	buf_release(&out);
}

TEST(the_block_stands_at_the_top)
{
	expect_set("# by hand\nlocal all\n", BLOCK, BLOCK "# by hand\nlocal all\n");
	expect_set("", BLOCK, BLOCK);
}

TEST(an_old_block_is_replaced_wherever_it_is)
{
	expect_set("a\n" DB_HBA_BEGIN "\nold\n" DB_HBA_END "\nb", BLOCK, BLOCK "a\nb");
	expect_set(BLOCK "a\n", BLOCK, BLOCK "a\n");
}

TEST(taken_out_all_else_is_as_it_was)
{
	expect_set(BLOCK "a\r\n\tb # no end", "", "a\r\n\tb # no end");
	expect_set("a\n", "", "a\n");
}

TEST(a_mark_alone_is_refused)
{
	static const char *const texts[] = {DB_HBA_BEGIN "\nx\n", "x\n" DB_HBA_END "\n",
					    DB_HBA_BEGIN "\n" DB_HBA_BEGIN "\n" DB_HBA_END "\n"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct buf out;
		struct error err = {0};
		buf_init(&out, 4096);
		EXPECT_ERR(db_hba_set(texts[i], strlen(texts[i]), BLOCK, &out, &err), err,
			   ERR_CONFLICT);
		buf_release(&out);
	}
}

static enum error_code check_code(struct db_exposure exposure)
{
	struct error err = {0};
	return db_exposure_check(&exposure, &err) == 0 ? ERR_NONE : err.code;
}

TEST(what_may_be_exposed)
{
	static const char *const wide[] = {"46.0.0.0/8"};
	static const char *const one[] = {"46.1.2.3/32"};
	static const char *const other[] = {"10.9.0.0/24"};
	static const char *const inside[] = {"10.0.1.3/32"};
	struct db_exposure exposure = good;

	EXPECT_INT(check_code(good), ERR_NONE);
	exposure.sources = wide;
	EXPECT_INT(check_code(exposure), ERR_INVALID);
	exposure.is_public = true;
	EXPECT_INT(check_code(exposure), ERR_INVALID);
	exposure.sources = one;
	EXPECT_INT(check_code(exposure), ERR_INVALID); /* at a private address */
	exposure.ip = "46.1.2.2";
	EXPECT_INT(check_code(exposure), ERR_NONE);
	exposure.source_count = 0;
	EXPECT_INT(check_code(exposure), ERR_NONE);
	exposure.source_count = 1;
	exposure.sources = inside;
	EXPECT_INT(check_code(exposure), ERR_INVALID);
	exposure = good;
	exposure.sources = other;
	EXPECT_INT(check_code(exposure), ERR_INVALID);
	exposure = good;
	exposure.ip = "0.0.0.0";
	EXPECT_INT(check_code(exposure), ERR_INVALID);
}

TEST(a_database_name_cannot_be_a_rule)
{
	static const char *const names[] = {"", "all", "a b", "x\"\nhost all all all trust",
					    "replication"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct db_exposure exposure = good;
		exposure.database = names[i];
		EXPECT_INT(check_code(exposure), ERR_INVALID);
	}
}

TEST(workers_are_let_in_over_tls_and_all_else_is_rejected)
{
	struct buf out;

	buf_init(&out, 4096);
	db_exposure_hba(&good, &out);
	EXPECT(strstr(out.data, "hostssl \"rgrid\" +rgrid_worker 10.0.1.0/24 scram-sha-256\n") !=
	       NULL);
	EXPECT(strstr(out.data, "host all,replication all 128.0.0.0/1 reject\n") != NULL);
	EXPECT(strstr(out.data, "md5") == NULL);
	buf_release(&out);
}

TEST(the_firewall_is_marked_by_what_it_says)
{
	struct buf out;
	char mark[DB_FIREWALL_MARK_BYTES];
	char again[DB_FIREWALL_MARK_BYTES];
	struct db_exposure exposure = good;

	buf_init(&out, 8192);
	db_exposure_firewall(&good, &out, mark);
	EXPECT(strstr(out.data, mark) != NULL);
	EXPECT(strstr(out.data, "fib daddr . iif type local accept") != NULL);
	db_exposure_firewall(&exposure, &out, again);
	EXPECT_STR(again, mark);
	EXPECT(strstr(out.data, "tcp dport { 5433, 8443 } drop") != NULL);
	exposure.port++;
	db_exposure_firewall(&exposure, &out, again);
	EXPECT(strcmp(again, mark) != 0);
	buf_release(&out);
}

TEST(nobody_is_a_firewall_without_a_way_in)
{
	struct buf out;
	char mark[DB_FIREWALL_MARK_BYTES];
	struct db_exposure exposure = good;

	exposure.ip = "46.1.2.2";
	exposure.is_public = true;
	exposure.source_count = 0;
	buf_init(&out, 8192);
	db_exposure_firewall(&exposure, &out, mark);
	EXPECT(strstr(out.data, "saddr") == NULL);
	EXPECT(strstr(out.data, "ip daddr 46.1.2.2 drop") != NULL);
	buf_release(&out);
}

TEST(the_workers_ranges_are_read_from_the_block)
{
	static const char *const two[] = {"46.1.2.3/32", "9.9.9.9/32"};
	struct db_exposure exposure = good;
	const char *found[2] = {NULL, NULL};
	struct buf text;

	exposure.sources = two;
	exposure.source_count = 2;
	buf_init(&text, 4096);
	buf_append_str(&text, "hostssl \"rgrid\" +rgrid_worker 1.1.1.1/32 scram-sha-256\n");
	db_exposure_hba(&exposure, &text);
	buf_append_str(&text, "hostssl \"rgrid\" +rgrid_worker 2.2.2.2/32 scram-sha-256\n");
	EXPECT_INT(db_hba_sources(text.data, found, 2), 2);
	EXPECT_STR(found[0], two[0]);
	EXPECT_STR(found[1], two[1]);
	buf_clear(&text);
	db_exposure_hba(&exposure, &text);
	EXPECT_INT(db_hba_sources(text.data, found, 1), 2);
	buf_release(&text);
}
