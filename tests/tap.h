/* Unit tests: `TEST(buf_grows) { EXPECT(…); }` anywhere in a test program; no list to keep. Each
 * test runs in a process of its own, in its own process group and an empty temporary directory (the
 * cwd); what it printed is shown only if it failed; stragglers are killed. Output is TAP. A test
 * that needs longer than 60 s is killed and fails.
 *
 * `program [substring]` runs only tests whose name contains it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct tap_test {
	const char *name;
	void (*run)(void);
	struct tap_test *next;
};
void tap_register(struct tap_test *test);

#define TEST(test_name)                                                                      \
	static void test_##test_name(void);                                                  \
	__attribute__((constructor)) static void register_##test_name(void)                  \
	{                                                                                    \
		static struct tap_test test = {.name = #test_name, .run = test_##test_name}; \
		tap_register(&test);                                                         \
	}                                                                                    \
	static void test_##test_name(void)

/* A failed expectation prints itself and ends the test. */
__attribute__((noreturn, format(printf, 3, 4))) void tap_fail(const char *file, int line,
							      const char *format, ...);
/* Ends the test as skipped; the reason is printed. */
__attribute__((noreturn, format(printf, 1, 2))) void tap_skip(const char *format, ...);

#define EXPECT(condition)                                               \
	do {                                                            \
		if (!(condition))                                       \
			tap_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)
#define EXPECT_INT(actual, expected)                                                       \
	do {                                                                               \
		long long actual_ = (long long)(actual);                                   \
		long long expected_ = (long long)(expected);                               \
		if (actual_ != expected_)                                                  \
			tap_fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #actual, \
				 actual_, expected_);                                      \
	} while (0)
#define EXPECT_STR(actual, expected)                                                           \
	do {                                                                                   \
		const char *actual_ = (actual);                                                \
		const char *expected_ = (expected);                                            \
		if (actual_ == NULL || strcmp(actual_, expected_) != 0)                        \
			tap_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #actual, \
				 actual_ ? actual_ : "(null)", expected_);                     \
	} while (0)
/* For a call that takes `&err` and returns 0 or -1. */
#define EXPECT_OK(call, err)                                                      \
	do {                                                                      \
		if ((call) != 0)                                                  \
			tap_fail(__FILE__, __LINE__, "%s: %s", #call, (err).msg); \
	} while (0)
#define EXPECT_ERR(call, err, expected_code)                                 \
	do {                                                                 \
		if ((call) == 0)                                             \
			tap_fail(__FILE__, __LINE__, "%s succeeded", #call); \
		EXPECT_INT((err).code, expected_code);                       \
	} while (0)
