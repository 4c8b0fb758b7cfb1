#include "setup/env_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "tap.h"

#define MARKS(inner)                                                                           \
	"# BEGIN RGRID NETWORK (rgrid network setup writes what is between the marks)\n" inner \
	"# END RGRID NETWORK\n"
#define BLOCK	    MARKS("RGRID_NETWORK_ID=7\nRGRID_PRIVATE_DB_IP=10.0.1.2\n")
#define BLOCK_UNSET MARKS("# RGRID_NETWORK_ID=7\n# RGRID_PRIVATE_DB_IP=10.0.1.2\n")
#define TEXT_MAX    (1024 * 1024)

static void expect_set(const char *before, const char *after)
{
	struct buf out;
	buf_init(&out, TEXT_MAX);
	env_text_set(before, strlen(before), "7", "10.0.1.2", &out);
	EXPECT_STR(out.data, after);
	struct buf again;
	buf_init(&again, TEXT_MAX);
	env_text_set(out.data, out.bytes, "7", "10.0.1.2", &again);
	EXPECT_STR(again.data, after);
	buf_release(&again);
	buf_release(&out);
}

static void expect_unset(const char *before, const char *after)
{
	struct buf out;
	buf_init(&out, TEXT_MAX);
	env_text_unset(before, strlen(before), &out);
	EXPECT_STR(out.data, after);
	struct env_values values;
	env_text_read(out.data, out.bytes, &values);
	EXPECT_INT(values.network_id_count + values.db_ip_count, 0);
	buf_release(&out);
}

static struct env_values read_text(const char *text)
{
	struct env_values values;
	env_text_read(text, strlen(text), &values);
	return values;
}

static void expect_assigned(const char *before, const char *after)
{
	const struct env_assignment assignment = {"NAME", "new"};
	struct buf out;
	buf_init(&out, TEXT_MAX);
	env_text_assign(before, strlen(before), &assignment, &out);
	EXPECT_STR(out.data, after);
	struct buf again;
	buf_init(&again, TEXT_MAX);
	env_text_assign(out.data, out.bytes, &assignment, &again);
	EXPECT_STR(again.data, after);
	buf_release(&again);
	buf_release(&out);
}

TEST(a_name_is_assigned_and_all_else_stays)
{
	expect_assigned("", "NAME=new\n");
	expect_assigned("A=1", "A=1\nNAME=new\n");
	expect_assigned("# NAME=x\nNAMES=y\nXNAME=z\n", "# NAME=x\nNAMES=y\nXNAME=z\nNAME=new\n");
	expect_assigned(" A = 1 \r\nNAME='old'\nB=\"2\"", " A = 1 \r\nNAME=new\nB=\"2\"");
	/* The last one is in force. */
	expect_assigned("NAME=1\nA=1\nNAME=2\nB=2\n", "NAME=1\nA=1\nNAME=new\nB=2\n");
	/* A value that goes on is one; a line that is part of another's value assigns nothing. */
	expect_assigned("NAME=old\\\nolder\\\noldest\nA=1\n", "NAME=new\nA=1\n");
	expect_assigned("A=1\\\nNAME=x\n", "A=1\\\nNAME=x\nNAME=new\n");
	expect_assigned(BLOCK "NAME=old\n" BLOCK, BLOCK "NAME=new\n" BLOCK);
}

TEST(values_are_read_as_systemd_reads_them)
{
	struct env_values values = read_text("A=1\nRGRID_NETWORK_ID = 12 \n"
					     "  export RGRID_PRIVATE_DB_IP=\"10.0.1.2\"\n");
	EXPECT_STR(values.network_id, "12");
	EXPECT_STR(values.db_ip, "10.0.1.2");
	values = read_text("RGRID_NETWORK_ID=1\r\nRGRID_NETWORK_ID='2'\r\n#RGRID_NETWORK_ID=3\r\n");
	EXPECT_STR(values.network_id, "2");
	EXPECT_INT(values.network_id_count, 2);
	values = read_text("RGRID_NETWORK_ID=12345678           # From setup script output");
	EXPECT_STR(values.network_id, "12345678           # From setup script output");
}

TEST(what_only_looks_like_an_assignment_is_none)
{
	struct env_values values =
		read_text("RGRID_NETWORK_IDX=1\nXRGRID_NETWORK_ID=1\nRGRID_NETWORK_ID\n"
			  "ARGS=a \\\nRGRID_NETWORK_ID=4\n# a\\\nRGRID_PRIVATE_DB_IP=10.0.1.2\n");
	EXPECT_STR(values.network_id, "");
	EXPECT_STR(values.db_ip, "10.0.1.2");
}

TEST(a_value_that_is_too_long_is_cut)
{
	char text[1024] = "RGRID_NETWORK_ID=";
	memset(text + strlen(text), '9', 900);
	struct env_values values = read_text(text);
	EXPECT_INT(strlen(values.network_id), ENV_VALUE_BYTES - 1);
}

TEST(set_appends_a_block_or_replaces_it_in_place)
{
	expect_set("", BLOCK);
	expect_set("A=1\n", "A=1\n" BLOCK);
	expect_set("A=1", "A=1\n" BLOCK);
	expect_set("A=1\n" MARKS("RGRID_NETWORK_ID=6\n") "B=2\n", "A=1\n" BLOCK "B=2\n");
	expect_set(BLOCK_UNSET "B=2", BLOCK "B=2");
	expect_set(MARKS("RGRID_NETWORK_ID=6\n") "B=2\n" MARKS("x\n") "C=3\n", BLOCK "B=2\nC=3\n");
}

TEST(set_leaves_a_file_that_says_so_already)
{
	expect_set("RGRID_PRIVATE_DB_IP=10.0.1.2\nA=1\nRGRID_NETWORK_ID='7'",
		   "RGRID_PRIVATE_DB_IP=10.0.1.2\nA=1\nRGRID_NETWORK_ID='7'");
}

TEST(set_comments_other_assignments_out)
{
	expect_set("RGRID_NETWORK_ID=6 # old\r\nA=1\n" BLOCK,
		   "# RGRID_NETWORK_ID=6 # old\r\nA=1\n" BLOCK);
	expect_set(BLOCK "RGRID_NETWORK_ID=6", BLOCK "# RGRID_NETWORK_ID=6");
}

TEST(a_block_without_its_end_does_not_swallow_the_rest)
{
	expect_set("# BEGIN RGRID NETWORK (rgrid network setup writes what is between the marks)\n"
		   "SECRET=1\n",
		   BLOCK "SECRET=1\n");
	expect_set("# BEGIN RGRID NETWORK (rgrid network setup writes what is between the marks)\n"
		   "SECRET=1\n" MARKS("RGRID_NETWORK_ID=6\n"),
		   BLOCK "SECRET=1\n");
}

TEST(unset_comments_out_and_is_idempotent)
{
	expect_unset("A=1\n" BLOCK "B=2\n", "A=1\n" BLOCK_UNSET "B=2\n");
	expect_unset("A=1\n" BLOCK_UNSET "B=2\n", "A=1\n" BLOCK_UNSET "B=2\n");
	expect_unset("export RGRID_NETWORK_ID=1\nA=1", "# export RGRID_NETWORK_ID=1\nA=1");
	expect_unset("", "");
}

/* What is neither a block nor an assignment, of a text made of whole pieces. */
static const char *const pieces[] = {
	"A=1\n",
	"\n",
	"# c\n",
	"X='RGRID_NETWORK_ID=1'\r\n",
	"\xff\xfe\x01\n",
	"B=2 \\\n",
	"RGRID_NETWORK_ID=7\n",
	"RGRID_PRIVATE_DB_IP=10.0.1.2\n",
	"export RGRID_NETWORK_ID=9\n",
	BLOCK,
	BLOCK_UNSET,
	MARKS("junk\n"),
	"# END RGRID NETWORK\n",
	"tail without end",
};
#define OURS_FIRST 6
#define OURS_END   12

/* Takes blocks and lines with the two names away, to compare the rest. */
static void rest_of(const char *text, struct buf *out)
{
	const char *begin = "# BEGIN RGRID NETWORK";
	const char *end = "# END RGRID NETWORK\n";
	bool in_block = false;
	while (*text != '\0') {
		size_t bytes = strcspn(text, "\n") + (strchr(text, '\n') != NULL);
		if (strncmp(text, begin, strlen(begin)) == 0)
			in_block = true;
		bool ours = in_block || memmem(text, bytes, "RGRID_NETWORK_ID=9", 18) != NULL ||
			    memmem(text, bytes, "RGRID_NETWORK_ID=7", 18) != NULL ||
			    memmem(text, bytes, "RGRID_PRIVATE_DB_IP=", 20) != NULL;
		if (!ours)
			buf_append(out, text, bytes);
		if (strncmp(text, end, strlen(end)) == 0)
			in_block = false;
		text += bytes;
	}
}

static void expect_rest_kept(const char *text)
{
	for (int set = 0; set < 2; set++) {
		struct buf after;
		struct buf rest_before;
		struct buf rest_after;
		buf_init(&after, TEXT_MAX);
		buf_init(&rest_before, TEXT_MAX);
		buf_init(&rest_after, TEXT_MAX);
		if (set)
			env_text_set(text, strlen(text), "7", "10.0.1.2", &after);
		else
			env_text_unset(text, strlen(text), &after);
		rest_of(text, &rest_before);
		rest_of(after.data, &rest_after);
		/* A block behind a line without end needs one. */
		if (rest_after.bytes == rest_before.bytes + 1)
			buf_append_char(&rest_before, '\n');
		EXPECT_STR(rest_after.data, rest_before.data);
		struct env_values values;
		env_text_read(after.data, after.bytes, &values);
		EXPECT_INT(values.network_id_count, set);
		EXPECT_INT(values.db_ip_count, set);
		EXPECT_STR(values.network_id, set ? "7" : "");
		buf_release(&after);
		buf_release(&rest_before);
		buf_release(&rest_after);
	}
}

TEST(whatever_else_is_in_the_file_stays_as_it_is)
{
	size_t count = sizeof(pieces) / sizeof(pieces[0]);
	for (size_t a = 0; a < count; a++) {
		for (size_t b = 0; b < count; b++) {
			for (size_t c = 0; c < count; c++) {
				char text[4096];
				/* A continued line would make the next one part of it. */
				bool continued = (a == 5 && b >= OURS_FIRST && b < OURS_END) ||
						 (b == 5 && c >= OURS_FIRST && c < OURS_END);
				bool middle_tail = a == count - 1 || b == count - 1;
				if (continued || middle_tail)
					continue;
				(void)snprintf(text, sizeof(text), "%s%s%s", pieces[a], pieces[b],
					       pieces[c]);
				expect_rest_kept(text);
			}
		}
	}
}

TEST(the_file_keeps_owner_and_mode_and_is_written_only_if_needed)
{
	struct error err;
	struct stat found;
	bool changed = false;
	struct env_values values;

	EXPECT_OK(fs_write_atomic("real.env", "A=1\n", 4, 0604, &err), err);
	if (geteuid() == 0)
		EXPECT_INT(chown("real.env", 12, 34), 0);
	EXPECT_INT(symlink("real.env", "link.env"), 0);
	EXPECT_OK(env_file_set("link.env", "7", "10.0.1.2", &changed, &err), err);
	EXPECT(changed);
	EXPECT_INT(lstat("link.env", &found), 0);
	EXPECT(S_ISLNK(found.st_mode));
	EXPECT_INT(stat("real.env", &found), 0);
	EXPECT_INT(found.st_mode & 07777, 0604);
	if (geteuid() == 0) {
		EXPECT_INT(found.st_uid, 12);
		EXPECT_INT(found.st_gid, 34);
	}
	EXPECT_OK(env_file_set("link.env", "7", "10.0.1.2", &changed, &err), err);
	EXPECT(!changed);
	EXPECT_OK(env_file_unset("link.env", &changed, &err), err);
	EXPECT(changed);
	EXPECT_OK(env_file_unset("link.env", &changed, &err), err);
	EXPECT(!changed);
	EXPECT_OK(env_file_read("link.env", &values, NULL, &err), err);
	EXPECT_STR(values.db_ip, "");
}

TEST(a_new_file_is_made_and_an_absent_one_sets_nothing)
{
	struct error err;
	bool changed = true;
	bool exists = true;
	struct env_values values;
	struct stat found;

	EXPECT_OK(env_file_read("absent.env", &values, &exists, &err), err);
	EXPECT(!exists);
	EXPECT_OK(env_file_unset("absent.env", &changed, &err), err);
	EXPECT(!changed);
	EXPECT_INT(access("absent.env", F_OK), -1);
	EXPECT_OK(env_file_set("absent.env", "7", "10.0.1.2", &changed, &err), err);
	EXPECT_INT(stat("absent.env", &found), 0);
	EXPECT_INT(found.st_mode & 07777, 0640);
	EXPECT(env_file_is_writable("absent.env"));
	EXPECT(!env_file_is_writable("no/such/dir/absent.env"));
	EXPECT_ERR(env_file_set("no/such/dir/absent.env", "7", "10.0.1.2", &changed, &err), err,
		   ERR_NOT_FOUND);
}

static void expect_found(const char *text, const char *value)
{
	struct buf out;

	buf_init(&out, TEXT_MAX);
	EXPECT(env_text_find(text, strlen(text), "RGRID_SERVER_TYPES", &out) == (value != NULL));
	EXPECT_STR(out.data, value != NULL ? value : "");
	buf_release(&out);
}

static void expect_removed(const char *text, const char *after)
{
	static const char *const names[] = {"NAME", "OTHER"};
	struct buf out;

	buf_init(&out, TEXT_MAX);
	env_text_remove(text, strlen(text), names, ARRAY_SIZE(names), &out);
	EXPECT_STR(out.bytes > 0 ? out.data : "", after);
	buf_release(&out);
}

TEST(a_secret_is_removed_and_all_else_stays)
{
	expect_removed("", "");
	expect_removed("A=1", "A=1");
	expect_removed("A=1\nNAME=x\nexport OTHER = 'y' \r\nB=2", "A=1\nB=2");
	expect_removed("NAME=x\\\ny\\\nz\nA=1\n", "A=1\n");
	expect_removed("A=1\\\nNAME=x\n# NAME=y\n", "A=1\\\nNAME=x\n# NAME=y\n");
	expect_removed(BLOCK "NAME=x\n" BLOCK, BLOCK BLOCK);
}

TEST(other_names_are_found)
{
	expect_found("", NULL);
	expect_found("RGRID_SERVER_TYPES", NULL);
	expect_found("RGRID_SERVER_TYPE=cx23:nbg1\n", NULL);
	expect_found("# RGRID_SERVER_TYPES=cx23:nbg1\n", NULL);
	expect_found("A=\\\nRGRID_SERVER_TYPES=cx23:nbg1\n", NULL);
	expect_found("RGRID_SERVER_TYPES=\n", "");
	expect_found(BLOCK "export RGRID_SERVER_TYPES = 'cx23:nbg1, cx33:nbg1' \nA=1",
		     "cx23:nbg1, cx33:nbg1");
	expect_found("RGRID_SERVER_TYPES=a:b\nRGRID_SERVER_TYPES=c:d", "c:d");
	expect_found(MARKS("RGRID_SERVER_TYPES=\"a:b\"\n"), "a:b");
}
