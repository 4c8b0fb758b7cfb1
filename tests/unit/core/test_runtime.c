#include "core/runtime.h"

#include "tap.h"

#define GUESS(path, head) guess((path), (head), sizeof(head) - 1)

static const char *guess(const char *path, const char *head, size_t bytes)
{
	const struct runtime *runtime;
	struct error err;

	if (runtime_guess(path, head, bytes, &runtime, &err) < 0) {
		EXPECT_INT(err.code, ERR_INVALID);
		EXPECT(err.hint[0] != '\0');
		return "none";
	}
	return runtime->name;
}

TEST(runtimes_are_found_by_name)
{
	for (size_t i = 0; i < runtime_count(); i++)
		EXPECT(runtime_find(runtime_at(i)->name) == runtime_at(i));
	EXPECT(runtime_find("perl") == NULL);
	EXPECT(runtime_find("") == NULL);
	EXPECT_STR(runtime_find("python")->argv[0], "python3");
	EXPECT(runtime_find("exec")->argv[0] == NULL);
}

TEST(the_extension_decides_first)
{
	EXPECT_STR(GUESS("a/process.py", ""), "python");
	EXPECT_STR(GUESS("x.js", ""), "node");
	EXPECT_STR(GUESS("x.mjs", ""), "node");
	EXPECT_STR(GUESS("x.cjs", ""), "node");
	EXPECT_STR(GUESS("x.sh", ""), "bash");
	EXPECT_STR(GUESS("x.bash", ""), "bash");
	EXPECT_STR(GUESS("x.py", "#!/bin/bash\n"), "python");
}

TEST(the_shebang_decides_without_extension)
{
	EXPECT_STR(GUESS("tool", "#!/usr/bin/python3\nprint(1)\n"), "python");
	EXPECT_STR(GUESS("tool", "#!/usr/bin/env python3\n"), "python");
	EXPECT_STR(GUESS("tool", "#! /usr/bin/env\tnode \r\n"), "node");
	EXPECT_STR(GUESS("tool", "#!/usr/bin/env -S python3\n"), "python");
	EXPECT_STR(GUESS("tool", "#!/bin/bash"), "bash");
	EXPECT_STR(GUESS("tool.v2", "#!/bin/bash\n"), "bash");
}

TEST(a_shebang_that_no_runtime_matches_is_left_to_the_kernel)
{
	EXPECT_STR(GUESS("tool", "#!/usr/bin/perl\n"), "exec");
	EXPECT_STR(GUESS("tool", "#!/bin/sh\n"), "exec");
	EXPECT_STR(GUESS("tool", "#!/usr/bin/python3.11\n"), "exec");
	EXPECT_STR(GUESS("tool", "#!/bin/bash -e\n"), "exec");
	EXPECT_STR(GUESS("tool", "#!/usr/bin/env -S python3 -u\n"), "exec");
	EXPECT_STR(GUESS("tool", "#!/usr/bin/env -i bash\n"), "exec");
}

TEST(programs_are_executed)
{
	EXPECT_STR(GUESS("a.out", "\177ELF\2\1\1"), "exec");
}

TEST(what_tells_nothing_is_refused)
{
	EXPECT_STR(GUESS("data", ""), "none");
	EXPECT_STR(GUESS("data", "#"), "none");
	EXPECT_STR(GUESS("data", "#!"), "none");
	EXPECT_STR(GUESS("data", "#!  \nbash"), "none");
	EXPECT_STR(GUESS("data.csv", "a,b\n"), "none");
	EXPECT_STR(GUESS("data", "\177EL"), "none");
	EXPECT_STR(GUESS("py", "print"), "none");
}
