#include "hcloud/fields.h"

#include "tap.h"

static struct problem problem;

static json_t *object(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	EXPECT(json != NULL);
	return json;
}

/* The message about the member "x" of the object, "" when it is accepted. */
static const char *read_str(const char *text, enum field_need need)
{
	json_t *json = object(text);
	const char *value = NULL;
	struct fields fields;

	problem = (struct problem){.code = PROBLEM_NONE};
	fields_init(&fields, json, &problem);
	fields_str(&fields, "x", need, 3, &value);
	EXPECT((fields_finish(&fields) < 0) == (problem.code == PROBLEM_INVALID_INPUT));
	json_decref(json);
	return problem.message;
}

TEST(texts)
{
	EXPECT_STR(read_str("{\"x\": \"abc\"}", FIELD_REQUIRED), "");
	EXPECT_STR(read_str("{}", FIELD_OPTIONAL), "");
	EXPECT_STR(read_str("{\"x\": null}", FIELD_OPTIONAL), "");
	EXPECT_STR(read_str("{}", FIELD_REQUIRED), "Missing data for required field.");
	EXPECT_STR(problem.name, "x");
	EXPECT_STR(read_str("{\"x\": null}", FIELD_REQUIRED), "Field may not be null.");
	EXPECT_STR(read_str("{\"x\": 1}", FIELD_OPTIONAL), "Not a valid string.");
	EXPECT_STR(read_str("{\"x\": \"\"}", FIELD_REQUIRED), "Shorter than minimum length 1.");
	EXPECT_STR(read_str("{\"x\": \"abcd\"}", FIELD_OPTIONAL), "Longer than maximum length 3.");
}

TEST(no_body_reads_as_an_empty_object)
{
	struct fields fields;
	bool flag = true;

	fields_init(&fields, NULL, &problem);
	fields_bool(&fields, "x", FIELD_OPTIONAL, &flag);
	EXPECT_INT(fields_finish(&fields), 0);
	EXPECT(flag);
	fields_bool(&fields, "x", FIELD_REQUIRED, &flag);
	EXPECT_INT(fields_finish(&fields), -1);
}

TEST(the_first_failure_is_the_one_told)
{
	json_t *json = object("{\"a\": 1, \"b\": 2}");
	const char *value = NULL;
	struct fields fields;

	fields_init(&fields, json, &problem);
	fields_str(&fields, "a", FIELD_OPTIONAL, 9, &value);
	fields_str(&fields, "b", FIELD_OPTIONAL, 9, &value);
	fields_fail(&fields, "c", "never seen");
	EXPECT_INT(fields_finish(&fields), -1);
	EXPECT_STR(problem.name, "a");
	EXPECT(value == NULL);
	json_decref(json);
}

static bool takes_id(const char *text)
{
	json_t *json = object(text);
	struct fields fields;
	int64_t id = 0;

	fields_init(&fields, json, &problem);
	fields_id(&fields, "x", FIELD_REQUIRED, &id);
	json_decref(json);
	return fields_finish(&fields) == 0 && id > 0;
}

TEST(ids_are_positive_and_survive_in_javascript)
{
	EXPECT(takes_id("{\"x\": 1}"));
	EXPECT(takes_id("{\"x\": 9007199254740991}"));
	EXPECT(!takes_id("{\"x\": 9007199254740992}"));
	EXPECT(!takes_id("{\"x\": 0}"));
	EXPECT(!takes_id("{\"x\": -1}"));
	EXPECT(!takes_id("{\"x\": 1.5}"));
	EXPECT(!takes_id("{\"x\": \"1\"}"));
}
