#include "api/cursor.h"
#include "tap.h"

TEST(cursors_come_back_as_they_went)
{
	static const int64_t positions[] = {0, 1, INT64_C(250000000000000000), INT64_MAX};
	char text[CURSOR_TEXT_BYTES];
	int64_t numbers[2];
	struct error err;

	for (size_t i = 0; i < 4; i++) {
		cursor_format(CURSOR_JOBS, &positions[i], 1, text);
		EXPECT_OK(cursor_parse(text, CURSOR_JOBS, numbers, 1, &err), err);
		EXPECT(numbers[0] == positions[i]);
	}
	cursor_format(CURSOR_RESULTS, positions + 2, 2, text);
	EXPECT_OK(cursor_parse(text, CURSOR_RESULTS, numbers, 2, &err), err);
	EXPECT(numbers[0] == positions[2]);
	EXPECT(numbers[1] == positions[3]);
}

TEST(other_text_is_refused)
{
	static const char *const texts[] = {"", "j", "garbage", "j06ynv1bwg0020AAAAAA"};
	int64_t position = 77;
	int64_t number = 5;
	char text[CURSOR_TEXT_BYTES];
	struct error err;

	for (size_t i = 0; i < 4; i++) {
		EXPECT_ERR(cursor_parse(texts[i], CURSOR_JOBS, &number, 1, &err), err, ERR_INVALID);
		EXPECT_STR(err.field, "cursor");
	}
	cursor_format(CURSOR_JOBS, &position, 1, text);
	EXPECT_ERR(cursor_parse(text, CURSOR_KEYS, &number, 1, &err), err, ERR_INVALID);
	EXPECT_ERR(cursor_parse(text, CURSOR_JOBS, &number, 2, &err), err, ERR_INVALID);
	for (size_t i = 0; text[i] != '\0'; i++) {
		char original = text[i];

		text[i] = original == '1' ? '2' : '1';
		EXPECT_ERR(cursor_parse(text, CURSOR_JOBS, &number, 1, &err), err, ERR_INVALID);
		text[i] = original;
	}
	EXPECT_INT(number, 5);
}
