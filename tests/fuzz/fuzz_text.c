/* Any text as a number, size, duration, path, code: whatever is accepted keeps its promises. */
#include "base/check.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void read_numbers(const char *text)
{
	struct error err;
	uint64_t value;
	int64_t number;
	char out[32];

	if (parse_u64(text, 5, 5000, &value, &err) == 0)
		CHECK(value >= 5 && value <= 5000);
	if (parse_i64(text, -5, INT64_MAX, &number, &err) == 0)
		CHECK(number >= -5);
	if (parse_millis(text, &value, &err) == 0)
		CHECK(value <= INT64_MAX);
	if (parse_bytes(text, &value, &err) == 0) {
		CHECK(value <= INT64_MAX);
		CHECK(strlen(format_bytes(value, out, sizeof(out))) < sizeof(out) - 1);
	}
	if (parse_duration(text, &value, &err) == 0) {
		CHECK(value <= INT64_MAX);
		CHECK(strlen(format_duration(value, out, sizeof(out))) < sizeof(out) - 1);
	}
}

static void read_codes(const char *text)
{
	uint8_t digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];
	char digits[BASE32_U64_CHARS + 1];
	unsigned open_bits;
	uint64_t low;

	if (sha256_from_hex(text, digest)) {
		sha256_to_hex(digest, hex);
		CHECK(str_eq(hex, text));
	}
	if (base32_prefix_to_u64(text, &low, &open_bits)) {
		base32_from_u64(low, digits);
		CHECK(strncasecmp(digits, text, strlen(text)) == 0);
	}
}

/* Strict decoding has one text for any bytes. */
static void read_base64(const char *text, size_t bytes)
{
	CLEANUP(cleanup_buf) struct buf plain;
	CLEANUP(cleanup_buf) struct buf encoded;

	buf_init(&plain, 1 << 20);
	buf_init(&encoded, 1 << 20);
	if (!base64_decode(text, bytes, &plain))
		return;
	base64_append(&encoded, plain.data, plain.bytes);
	CHECK(encoded.bytes == bytes);
	CHECK(memcmp(encoded.data, text, bytes) == 0);
}

static void read_path(const char *text)
{
	struct error err;

	if (fs_path_check_relative(text, &err) != 0) {
		CHECK(err.msg[0] != '\0');
		CHECK(str_is_utf8(text, strlen(text)) == false ||
		      str_is_utf8(err.msg, strlen(err.msg)));
		return;
	}
	CHECK(text[0] != '/');
	CHECK(strstr(text, "//") == NULL);
	CHECK(strstr(text, "/../") == NULL);
	CHECK(!str_has_prefix(text, "../"));
	CHECK(!str_has_suffix(text, "/.."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const char *const words[] = {"memory", "timeout", "name", "a"};
	CLEANUP(cleanup_free) char *text = xcalloc(bytes + 1, 1);

	if (bytes > 0)
		memcpy(text, data, bytes);
	read_numbers(text);
	read_codes(text);
	read_base64(text, bytes);
	read_path(text);
	(void)str_suggest(text, words, ARRAY_SIZE(words));
	return 0;
}
