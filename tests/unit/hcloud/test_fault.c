#include "hcloud/fault.h"

#include "tap.h"

static struct faults faults;
static struct error err;

static void add(const char *spec)
{
	json_t *fault = NULL;

	EXPECT_OK(fault_parse(spec, &fault, &err), err);
	EXPECT_OK(faults_add(&faults, fault, NULL, &err), err);
}

static const json_t *strike(const char *type, const char *location)
{
	return faults_strike(&faults, FAULT_UNAVAILABLE,
			     (const struct fault_subject[]){
				     {"type", type}, {"location", location}, {NULL, NULL}});
}

TEST(what_is_named_must_match)
{
	faults_init(&faults);
	add("unavailable:type=cx*,location=fsn1");
	EXPECT(strike("cx23", "fsn1") != NULL);
	EXPECT(strike("cax11", "fsn1") == NULL);
	EXPECT(strike("cx23", "nbg1") == NULL);
	EXPECT(strike(NULL, "fsn1") == NULL);
	faults_release(&faults);
}

TEST(count_and_skip)
{
	faults_init(&faults);
	add("unavailable:count=2,skip=1");
	EXPECT(strike("a", "b") == NULL);
	EXPECT(strike("a", "b") != NULL);
	EXPECT(strike("a", "b") != NULL);
	EXPECT(strike("a", "b") == NULL);
	faults_release(&faults);
}

TEST(values_with_commas)
{
	faults_init(&faults);
	add("unavailable:message=sorry\\, try later,type=x");
	const json_t *fault = strike("x", "y");
	EXPECT(fault != NULL);
	EXPECT_STR(fault_str(fault, "message", ""), "sorry, try later");
	faults_release(&faults);
}

TEST(unknown_kinds_and_keys_are_refused)
{
	static const char *const specs[] = {"typo",
					    "",
					    "unavailable:typ=x",
					    "quota:hits=3",
					    "delay:ms=-1",
					    "delay:ms=soon",
					    "rate-limit:limit=0",
					    "lost:status=200",
					    "status:code=typo",
					    "token:mode=mute"};

	faults_init(&faults);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		json_t *fault = NULL;

		EXPECT_OK(fault_parse(specs[i], &fault, &err), err);
		EXPECT_ERR(faults_add(&faults, fault, NULL, &err), err, ERR_INVALID);
	}
	EXPECT_INT(json_array_size(faults.list), 0);
	faults_release(&faults);
}

TEST(removal)
{
	faults_init(&faults);
	add("unavailable");
	EXPECT(faults_remove(&faults, 1));
	EXPECT(!faults_remove(&faults, 1));
	EXPECT(strike("a", "b") == NULL);
	faults_release(&faults);
}
