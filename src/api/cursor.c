#include "api/cursor.h"

#include <string.h>

#include "api/refuse.h"
#include "base/check.h"
#include "base/encode.h"
#include "base/str.h"

const char *cursor_format(enum cursor_kind kind, const int64_t *numbers, size_t count,
			  char out[CURSOR_TEXT_BYTES])
{
	char *at = out;

	CHECK(count <= CURSOR_NUMBERS_MAX);
	*at++ = (char)kind;
	for (size_t i = 0; i < count; i++) {
		CHECK(numbers[i] >= 0);
		base32_from_u64((uint64_t)numbers[i], at);
		at += BASE32_U64_CHARS;
	}
	base62_from_u32(crc32_of(out, (size_t)(at - out)), at);
	return out;
}

int cursor_parse(const char *text, enum cursor_kind kind, int64_t *ret_numbers, size_t count,
		 struct error *err)
{
	int64_t numbers[CURSOR_NUMBERS_MAX];
	char again[CURSOR_TEXT_BYTES];

	CHECK(count <= CURSOR_NUMBERS_MAX);
	bool is_ours = strlen(text) == 1 + count * BASE32_U64_CHARS + 6;
	for (size_t i = 0; is_ours && i < count; i++) {
		char digits[BASE32_U64_CHARS + 1];
		uint64_t number;
		unsigned open_bits;

		memcpy(digits, text + 1 + i * BASE32_U64_CHARS, BASE32_U64_CHARS);
		digits[BASE32_U64_CHARS] = '\0';
		is_ours = base32_prefix_to_u64(digits, &number, &open_bits) && number <= INT64_MAX;
		numbers[i] = is_ours ? (int64_t)number : 0;
	}
	if (is_ours)
		is_ours = str_eq(cursor_format(kind, numbers, count, again), text);
	if (!is_ours) {
		refuse_field(err, "cursor", "is not one of this list");
		return error_hint(err, "pass the next_cursor of the page before, unchanged");
	}
	memcpy(ret_numbers, numbers, count * sizeof(numbers[0]));
	return 0;
}
