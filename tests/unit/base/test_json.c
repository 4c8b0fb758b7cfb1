#include "base/json.h"

#include "base/buf.h"
#include "tap.h"

static json_t *parse(const char *text)
{
	struct error err;
	json_t *json = NULL;

	EXPECT_OK(json_parse(text, strlen(text), &json, &err), err);
	return json;
}

static void expect_refused(const char *data, size_t bytes)
{
	struct error err;
	json_t *json = NULL;

	if (json_parse(data, bytes, &json, &err) == 0)
		tap_fail(__FILE__, __LINE__, "parsed: %s", data);
	EXPECT_INT(err.code, ERR_INVALID);
	EXPECT(json == NULL);
	EXPECT(err.msg[0] != '\0');
}

TEST(json_parse_is_strict)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{}x",
		"{} {}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,}",
		"[1,]",
		"{'a':1}",
		"{\"a\":01}",
		"{\"a\":NaN}",
		"{\"a\":1e999}",
		"{\"a\":99999999999999999999}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\xed\xa0\x80\"}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":\"\n\"}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\\u0000b\":1}",
		"// comment\n{}",
		"7",
		"\"text\"",
		"null",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_refused(bad[i], strlen(bad[i]));
	expect_refused("{}\0", 3);
	expect_refused("{\"a\0\":1}", 8);
	expect_refused("\xef\xbb\xbf{}", 5);
}

TEST(json_parse_says_where)
{
	struct error err;
	json_t *json;

	EXPECT_ERR(json_parse("{\n \"a\": x}", 10, &json, &err), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "line 2, column 7") != NULL);
	EXPECT_ERR(json_parse("[\"\\u0000\"]", 10, &json, &err), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "the character NUL is not allowed") != NULL);
}

TEST(json_parse_bounds_the_depth)
{
	CLEANUP(cleanup_buf) struct buf deep;

	buf_init(&deep, 1 << 20);
	for (int i = 0; i < 100000; i++)
		buf_append_char(&deep, '[');
	expect_refused(deep.data, deep.bytes);
}

TEST(json_text_is_compact)
{
	CLEANUP(cleanup_json)
	json_t *json = parse(" {\"b\": [1, 2.5, null], \"a\": \"\xc3\xa4\"} ");
	CLEANUP(cleanup_free) char *text = json_to_text(json);
	CLEANUP(cleanup_json) json_t *number = json_integer(7);
	CLEANUP(cleanup_free) char *seven = json_to_text(number);

	EXPECT_STR(text, "{\"b\":[1,2.5,null],\"a\":\"\xc3\xa4\"}");
	EXPECT_STR(seven, "7");
}

TEST(json_reader_reads_members)
{
	CLEANUP(cleanup_json)
	json_t *json = parse(
		"{\"name\":\"n\",\"size\":7,\"on\":true,\"cpus\":0.5,\"list\":[1],\"map\":{}}");
	const json_t *list = NULL;
	const json_t *map = NULL;
	const char *name = NULL;
	struct json_reader reader;
	uint64_t size = 0;
	uint64_t cpus = 0;
	bool on = false;
	struct error err;

	json_reader_init(&reader, json, "", &err);
	json_require(&reader, "name");
	json_read_str(&reader, "name", 1, 10, &name);
	json_read_u64(&reader, "size", 7, 7, &size);
	json_read_bool(&reader, "on", &on);
	json_read_millis(&reader, "cpus", 10, 1000, &cpus);
	json_read_array(&reader, "list", 1, &list);
	json_read_object(&reader, "map", 0, &map);
	EXPECT_OK(json_reader_finish(&reader), err);
	EXPECT_STR(name, "n");
	EXPECT_INT(size, 7);
	EXPECT(on);
	EXPECT_INT(cpus, 500);
	EXPECT_INT(json_array_size(list), 1);
	EXPECT(json_is_object(map));
}

TEST(json_reader_absent_and_null_leave_the_default)
{
	CLEANUP(cleanup_json) json_t *json = parse("{\"a\":null,\"c\":null}");
	const char *name = "default";
	struct json_reader reader;
	uint64_t size = 3;
	struct error err;

	json_reader_init(&reader, json, "", &err);
	json_read_str(&reader, "a", 0, 10, &name);
	json_read_u64(&reader, "b", 0, 10, &size);
	json_read_u64(&reader, "c", 0, 10, &size);
	EXPECT_OK(json_reader_finish(&reader), err);
	EXPECT_STR(name, "default");
	EXPECT_INT(size, 3);
}

/* Reads "m" of `text` as a number and expects that failure, naming "job.m". */
static void expect_number_refused(const char *text, const char *message)
{
	CLEANUP(cleanup_json) json_t *json = parse(text);
	struct json_reader reader;
	uint64_t value = 77;
	struct error err;

	json_reader_init(&reader, json, "job", &err);
	json_read_u64(&reader, "m", 1, 10, &value);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.msg, message);
	EXPECT_STR(err.field, "job.m");
	EXPECT_INT(value, 77);
}

TEST(json_reader_u64_takes_integers_only)
{
	static const char message[] = "job.m must be an integer between 1 and 10";

	expect_number_refused("{\"m\":0}", message);
	expect_number_refused("{\"m\":11}", message);
	expect_number_refused("{\"m\":-1}", message);
	expect_number_refused("{\"m\":5.0}", message);
	expect_number_refused("{\"m\":5e0}", message);
	expect_number_refused("{\"m\":\"5\"}", message);
	expect_number_refused("{\"m\":true}", message);
	expect_number_refused("{\"m\":[]}", message);
	expect_number_refused("{\"m\":-9223372036854775808}", message);
}

static int read_millis(const char *text, uint64_t *ret, struct error *err)
{
	CLEANUP(cleanup_json) json_t *json = parse(text);
	struct json_reader reader;

	json_reader_init(&reader, json, "", err);
	json_read_millis(&reader, "m", 10, 256000, ret);
	return json_reader_finish(&reader);
}

TEST(json_reader_millis)
{
	struct error err;
	uint64_t value = 77;

	EXPECT_OK(read_millis("{\"m\":0.1}", &value, &err), err);
	EXPECT_INT(value, 100);
	EXPECT_OK(read_millis("{\"m\":2}", &value, &err), err);
	EXPECT_INT(value, 2000);
	EXPECT_OK(read_millis("{\"m\":255.999}", &value, &err), err);
	EXPECT_INT(value, 255999);
	EXPECT_OK(read_millis("{\"m\":1e1}", &value, &err), err);
	EXPECT_INT(value, 10000);
}

TEST(json_reader_millis_refuses)
{
	static const char *const bad[] = {
		"{\"m\":0.0005}",  "{\"m\":0.33333}", "{\"m\":0.009}",
		"{\"m\":256.001}", "{\"m\":-1}",      "{\"m\":-0.5}",
		"{\"m\":1e300}",   "{\"m\":\"1\"}",   "{\"m\":9223372036854775807}",
	};
	struct error err;
	uint64_t value = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(read_millis(bad[i], &value, &err), err, ERR_INVALID);
	EXPECT_INT(value, 77);
	EXPECT(strstr(err.msg, "between 0.010 and 256.000") != NULL);
}

static int read_text(json_t *json, size_t min, size_t max, struct error *err)
{
	struct json_reader reader;
	const char *text = "untouched";

	json_reader_init(&reader, json, "", err);
	json_read_str(&reader, "m", min, max, &text);
	int result = json_reader_finish(&reader);

	if (result != 0)
		EXPECT_STR(text, "untouched");
	return result;
}

TEST(json_reader_text_bounds)
{
	CLEANUP(cleanup_json) json_t *empty = parse("{\"m\":\"\"}");
	CLEANUP(cleanup_json) json_t *three = parse("{\"m\":\"abc\"}");
	CLEANUP(cleanup_json) json_t *number = parse("{\"m\":3}");
	struct error err;

	EXPECT_OK(read_text(empty, 0, 3, &err), err);
	EXPECT_OK(read_text(three, 3, 3, &err), err);
	EXPECT_ERR(read_text(empty, 1, 3, &err), err, ERR_INVALID);
	EXPECT_STR(err.msg, "m must not be empty");
	EXPECT_STR(err.field, "m");
	EXPECT_ERR(read_text(three, 4, 9, &err), err, ERR_INVALID);
	EXPECT_STR(err.msg, "m must have at least 4 bytes");
	EXPECT_ERR(read_text(three, 0, 2, &err), err, ERR_INVALID);
	EXPECT_STR(err.msg, "m must have at most 2 bytes, it has 3");
	EXPECT_ERR(read_text(number, 0, 2, &err), err, ERR_INVALID);
	EXPECT_STR(err.msg, "m must be text, not a number");
}

TEST(json_reader_text_without_nul)
{
	CLEANUP(cleanup_json) json_t *json = json_object();
	struct error err;

	json_object_set_new(json, "m", json_stringn("a\0b", 3));
	EXPECT_ERR(read_text(json, 0, 9, &err), err, ERR_INVALID);
	EXPECT_STR(err.msg, "m must not contain a NUL character");
}

TEST(json_reader_counts)
{
	CLEANUP(cleanup_json) json_t *json = parse("{\"list\":[1,2],\"map\":{\"a\":1}}");
	const json_t *found = NULL;
	struct json_reader reader;
	struct error err;

	json_reader_init(&reader, json, "", &err);
	json_read_array(&reader, "list", 1, &found);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.msg, "list must have at most 1 elements, it has 2");
	json_reader_init(&reader, json, "", &err);
	json_read_object(&reader, "map", 0, &found);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	json_reader_init(&reader, json, "", &err);
	json_read_object(&reader, "list", 9, &found);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.msg, "list must be an object, not an array");
	json_reader_init(&reader, json, "", &err);
	json_read_array(&reader, "map", 9, &found);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT(found == NULL);
}

TEST(json_reader_required)
{
	CLEANUP(cleanup_json) json_t *json = parse("{\"a\":null}");
	struct json_reader reader;
	struct error err;

	json_reader_init(&reader, json, "x[2]", &err);
	json_require(&reader, "a");
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.msg, "x[2].a is missing");
	EXPECT_STR(err.field, "x[2].a");
}

TEST(json_reader_refuses_unknown_members)
{
	CLEANUP(cleanup_json) json_t *json = parse("{\"memory_byte\":1}");
	struct json_reader reader;
	uint64_t value = 0;
	struct error err;

	json_reader_init(&reader, json, "limits", &err);
	json_read_u64(&reader, "memory_bytes", 0, 9, &value);
	json_read_u64(&reader, "pids", 0, 9, &value);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.msg, "limits.memory_byte is not a member that is known here");
	EXPECT_STR(err.field, "limits.memory_byte");
	EXPECT_STR(err.hint, "did you mean \"memory_bytes\"?");
}

TEST(json_reader_unknown_member_far_from_all_has_no_hint)
{
	CLEANUP(cleanup_json) json_t *json = parse("{\"\\u001b[31m\":1}");
	struct json_reader reader;
	bool on;
	struct error err;

	json_reader_init(&reader, json, "", &err);
	json_read_bool(&reader, "verbose", &on);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.field, "?[31m");
	EXPECT_STR(err.hint, "");
}

TEST(json_reader_keeps_the_first_failure)
{
	CLEANUP(cleanup_json) json_t *json = parse("{\"a\":1,\"b\":2}");
	struct json_reader reader;
	const char *text = NULL;
	bool on = false;
	struct error err;

	json_reader_init(&reader, json, "", &err);
	json_read_str(&reader, "a", 0, 9, &text);
	json_read_bool(&reader, "b", &on);
	json_require(&reader, "c");
	json_reader_fail(&reader, "b", "is odd");
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.field, "a");
}

TEST(json_reader_caller_finds_fault)
{
	CLEANUP(cleanup_json) json_t *json = parse("{\"a\":1}");
	struct json_reader reader;
	struct error err;

	json_reader_init(&reader, json, "", &err);
	json_reader_fail(&reader, "a", "is before %d", 2000);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.msg, "a is before 2000");
}

TEST(json_reader_needs_an_object)
{
	CLEANUP(cleanup_json) json_t *json = parse("[]");
	struct json_reader reader;
	uint64_t value = 0;
	struct error err;

	json_reader_init(&reader, json, "", &err);
	json_read_u64(&reader, "a", 0, 9, &value);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.msg, "the body must be an object, not an array");
	json_reader_init(&reader, NULL, "spec", &err);
	EXPECT_ERR(json_reader_finish(&reader), err, ERR_INVALID);
	EXPECT_STR(err.msg, "spec must be an object, not absent");
}
