#include "cli/table.h"

#include "cli/progress.h"
#include "tap.h"

TEST(columns_are_as_wide_as_their_widest_cell)
{
	static const char *const headings[] = {"ID", "STATE", "NAME"};
	CLEANUP(cleanup_table) struct table *table = table_new(headings, 3);
	CLEANUP(cleanup_buf) struct buf out = {0};
	struct terminal plain = {0};

	buf_init(&out, 4096);
	table_cell(table, "job_1");
	table_cell_styled(table, "failed", STYLE_RED);
	table_cell(table, "a\033[31mb\n");
	table_cell(table, "j\u00f6b");
	table_cell(table, NULL);
	table_cell(table, "");
	table_render(table, &plain, &out);
	EXPECT_STR(out.data, "ID     STATE   NAME\n"
			     "job_1  failed  a?[31mb?\n"
			     "j\u00f6b    -       -\n");
}

TEST(hostile_text_is_cleaned)
{
	CLEANUP(cleanup_buf) struct buf out = {0};

	buf_init(&out, 4096);
	terminal_clean(&out, "a\tb\x7f\xc2\x9b"
			     "c\xff\xc3");
	EXPECT_STR(out.data, "a b??c??");
}

TEST(the_progress_line)
{
	struct progress progress = {.total = 40, .completed = 11, .failed = 1, .running = 3};
	struct eta eta = {0};
	CLEANUP(cleanup_buf) struct buf out = {0};
	struct terminal plain = {0};

	buf_init(&out, 4096);
	EXPECT_INT(setenv("LC_ALL", "C", 1), 0);
	eta_note(&eta, 0, 0);
	eta_note(&eta, 6000, 12);
	progress_line(&progress, &eta, &plain, 78, &out);
	EXPECT_STR(out.data, "12/40 ======--------------  3 running  1 failed  2.0/s  14s left");
	buf_clear(&out);
	progress_line(&progress, &eta, &plain, 40, &out);
	EXPECT_STR(out.data, "12/40   3 running  1 failed  2.0/s  14s left");
	buf_clear(&out);
	progress_sentence(&progress, &eta, &out);
	EXPECT_STR(out.data, "12 of 40 done, 1 failed, 3 running, 2.0/s, 14s left");
}
