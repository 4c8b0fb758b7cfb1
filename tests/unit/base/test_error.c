#include "base/error.h"

#include <errno.h>

#include "base/str.h"
#include "tap.h"

TEST(error_set_fills_everything)
{
	struct error err;

	memset(&err, 'x', sizeof(err));
	EXPECT_INT(error_set(&err, ERR_CONFLICT, "job %d is %s", 7, "done"), -1);
	EXPECT_INT(err.code, ERR_CONFLICT);
	EXPECT_INT(err.errnum, 0);
	EXPECT_STR(err.sqlstate, "");
	EXPECT_STR(err.field, "");
	EXPECT_STR(err.msg, "job 7 is done");
	EXPECT_STR(err.hint, "");
}

TEST(error_set_errno_says_why)
{
	struct error err;

	EXPECT_INT(error_set_errno(&err, ERR_NOT_FOUND, ENOENT, "cannot read %s", "a.csv"), -1);
	EXPECT_STR(err.msg, "cannot read a.csv: No such file or directory");
	EXPECT_INT(err.errnum, ENOENT);
	EXPECT_INT(err.code, ERR_NOT_FOUND);
	error_set_errno(&err, ERR_INTERNAL, 123456, "odd");
	EXPECT_STR(err.msg, "odd: error number 123456");
}

TEST(error_full_disk_has_its_own_code)
{
	struct error err;

	error_set_errno(&err, ERR_INTERNAL, ENOSPC, "cannot write");
	EXPECT_INT(err.code, ERR_NO_SPACE);
	error_set_errno(&err, ERR_INTERNAL, EDQUOT, "cannot write");
	EXPECT_INT(err.code, ERR_NO_SPACE);
	EXPECT_INT(err.errnum, EDQUOT);
}

TEST(error_wrap_puts_context_in_front)
{
	struct error err;

	error_set(&err, ERR_INVALID, "bad digit");
	error_hint(&err, "use %d digits", 3);
	error_field(&err, "jobs[%d].name", 2);
	EXPECT_INT(error_wrap(&err, "line %d", 4), -1);
	EXPECT_STR(err.msg, "line 4: bad digit");
	EXPECT_STR(err.hint, "use 3 digits");
	EXPECT_STR(err.field, "jobs[2].name");
	EXPECT_INT(err.code, ERR_INVALID);
}

TEST(error_text_cannot_control_the_terminal)
{
	struct error err;

	error_set(&err, ERR_INVALID, "a%sb", "\x1b[31m\r\n\t\x7f");
	EXPECT_STR(err.msg, "a?[31m????b");
	error_wrap(&err, "\x07");
	EXPECT_STR(err.msg, "?: a?[31m????b");
	error_hint(&err, "%s", "\n");
	EXPECT_STR(err.hint, "?");
}

TEST(error_text_is_cut_to_fit)
{
	struct error err;
	char long_text[4000];

	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	error_set(&err, ERR_INVALID, "%s", long_text);
	EXPECT_INT(strlen(err.msg), ERROR_MESSAGE_BYTES - 1);
	error_hint(&err, "%s", long_text);
	EXPECT_INT(strlen(err.hint), ERROR_HINT_BYTES - 1);
	error_field(&err, "%s", long_text);
	EXPECT_INT(strlen(err.field), ERROR_FIELD_BYTES - 1);
	error_wrap(&err, "%s", long_text);
	EXPECT_INT(strlen(err.msg), ERROR_MESSAGE_BYTES - 1);
	error_set_errno(&err, ERR_INVALID, ENOENT, "%s", long_text);
	EXPECT_INT(strlen(err.msg), ERROR_MESSAGE_BYTES - 1);
}

/* Whatever the alignment. */
TEST(error_text_is_utf8_after_the_cut)
{
	struct error err;
	char text[1200];

	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', sizeof(text));
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x9a\x80", 4);
		text[sizeof(text) - 1] = '\0';
		error_set(&err, ERR_INVALID, "%s", text);
		EXPECT(strlen(err.msg) > ERROR_MESSAGE_BYTES - 6);
		EXPECT(str_is_utf8(err.msg, strlen(err.msg)));
		error_wrap(&err, "%.*s", 400, "yyyyyyyyyyyyyyyyyyy");
		EXPECT(str_is_utf8(err.msg, strlen(err.msg)));
	}
}

/* Messages become JSON, which refuses anything else. */
TEST(error_text_is_always_utf8)
{
	struct error err;

	error_set(&err, ERR_INVALID, "%s|%.2s|%s", "\xff\xc3", "\xf0\x9f\x9a\x80", "\xc2\x9b");
	EXPECT_STR(err.msg, "??|??|??");
	error_wrap(&err, "\xc3\xa4\xed\xa0\x80");
	EXPECT_STR(err.msg, "\xc3\xa4???: ??|??|??");
}

TEST(error_may_quote_itself)
{
	struct error err;

	error_set(&err, ERR_INVALID, "inner");
	error_set(&err, ERR_CONFLICT, "outer (%s)", err.msg);
	EXPECT_STR(err.msg, "outer (inner)");
	error_field(&err, "a");
	error_field(&err, "b.%s", err.field);
	EXPECT_STR(err.field, "b.a");
}

TEST(error_codes_have_names_and_meanings)
{
	EXPECT_STR(error_code_name(ERR_NOT_FOUND), "not_found");
	EXPECT_STR(error_code_name(ERR_NO_SPACE), "no_space");
	EXPECT_INT(error_http_status(ERR_RATE_LIMITED), 429);
	EXPECT_INT(error_exit_code(ERR_INTERNAL), 125);
	EXPECT(error_is_retryable(ERR_UNAVAILABLE));
	EXPECT(!error_is_retryable(ERR_CONFLICT));
	for (int code = ERR_NONE + 1; code < ERR_MAX; code++) {
		EXPECT(error_code_name((enum error_code)code) != NULL);
		EXPECT(error_http_status((enum error_code)code) >= 400);
		EXPECT(error_exit_code((enum error_code)code) > 0);
		/* Each status is of one code, so that the client gets back the server's. */
		EXPECT_INT(error_code_from_http(error_http_status((enum error_code)code)), code);
	}
}

TEST(error_code_from_foreign_statuses)
{
	EXPECT_INT(error_code_from_http(418), ERR_INVALID);
	EXPECT_INT(error_code_from_http(502), ERR_INTERNAL);
	EXPECT_INT(error_code_from_http(0), ERR_INVALID);
	EXPECT_INT(error_code_from_http(-1), ERR_INVALID);
}

TEST(error_clear_empties)
{
	struct error err;

	error_set(&err, ERR_INVALID, "x");
	error_clear(&err);
	EXPECT_INT(err.code, ERR_NONE);
	EXPECT_STR(err.msg, "");
}
