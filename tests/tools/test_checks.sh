#!/bin/bash
# The check tools find what they are for: each is shown a small tree with one fault and must name it.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
tap_begin
root=$PWD
tree=$TEST_DIR/tree

# A tree with which every tool is content.
new_tree() {
	rm -rf "$tree"
	mkdir -p "$tree/src/base" "$tree/src/core" "$tree/src/store" "$tree/src/cloud" "$tree/tests"
	printf '#pragma once\n\nint word(void);\n' >"$tree/src/base/word.h"
	printf '#include "base/word.h"\n\nint word(void)\n{\n\treturn 1;\n}\n' >"$tree/src/base/word.c"
	printf '#pragma once\n\n#include "base/word.h"\n' >"$tree/src/core/job.h"
	printf '#include "core/job.h"\n\n#include "base/word.h"\n' >"$tree/src/store/rows.c"
}

# passes TOOL: the tool is content with the tree, silently.
passes() {
	local said
	said=$("$root/tools/$1" "$TEST_DIR/build" "$tree" 2>&1) && [ -z "$said" ] && return 0
	printf '%s\n' "$said"
	return 1
}

# names TOOL TEXT…: the tool fails and its output contains each text.
names() {
	local tool=$1 said text
	shift
	if said=$("$root/tools/$tool" "$TEST_DIR/build" "$tree" 2>&1); then
		printf 'it was content\n%s\n' "$said"
		return 1
	fi
	for text; do
		if [[ $said != *"$text"* ]]; then
			printf 'nothing is said of "%s"\n%s\n' "$text" "$said"
			return 1
		fi
	done
}

repeat() { # COUNT LINE
	local i
	for ((i = 0; i < $1; i++)); do printf '%b\n' "$2"; done
}

for tool in tidy check-includes check-headers; do
	new_tree
	check "$tool is content with a good tree" passes "$tool"
	rm -rf "$tree" && mkdir -p "$tree/src"
	check "$tool does not take nothing for good" names "$tool" no
done

# tidy

new_tree
repeat 596 '' >>"$tree/src/base/word.c"
check 'tidy: a file of 602 lines' names tidy 'src/base/word.c:602: 602 lines'
new_tree
{ printf '#include "base/word.h"\n\nint word(void)\n{\n' && repeat 71 '\treturn 1;' && echo '}'; } >"$tree/src/base/word.c"
check 'tidy: a function of 71 lines' names tidy 'src/base/word.c:4: a function of 71 lines'
sed -i 5d "$tree/src/base/word.c"
check 'tidy: one of 70 is none' passes tidy
new_tree
printf '/*\t%092d */\n' 0 >>"$tree/tests/a.c"
check 'tidy: a line of 103 columns, tabs counted' names tidy 'tests/a.c:1: 103 columns'
new_tree
printf '/* %s */\n' "$(repeat 90 'ä' | tr -d '\n')" >>"$tree/src/base/word.c"
check 'tidy: columns are characters, not bytes' passes tidy
# Put together here, so that tidy does not find them in this file.
for word in 'TO''DO' 'FIX''ME' 'XX''X' 'HA''CK'; do
	new_tree
	printf '/* %s: later */\n' "$word" >>"$tree/src/core/job.h"
	check "tidy: the word ${word,,}" names tidy "src/core/job.h:4: the word $word"
done
new_tree
mkdir -p "$tree/sql" && printf 'SELECT 1; \n' >"$tree/sql/a.sql"
printf 'int a;\t\n' >"$tree/tests/a.c"
check 'tidy: white space at line ends' names tidy 'sql/a.sql:1: white space' 'tests/a.c:1: white space'
new_tree
printf 'int a;' >"$tree/tests/a.c"
check 'tidy: a file without a last line end' names tidy 'tests/a.c:1: no line end'
new_tree
printf '#include <stdio.h>\n#include "base/word.h"\n' >"$tree/src/base/word.c"
check 'tidy: own header not first' names tidy 'src/base/word.c:1: includes stdio.h before its own header'
printf 'int a;\n' >"$tree/src/base/word.c"
check 'tidy: own header not at all' names tidy 'src/base/word.c:1: does not include its own header'

# check-includes

new_tree
printf '#include "core/job.h"\n' >>"$tree/src/base/word.c"
check 'check-includes: base to core' names check-includes \
	'src/base/word.c:7: base must not include core (core/job.h)'
new_tree
printf '\n# include "store/pg.h"\n' >"$tree/src/cloud/a.c"
check 'check-includes: between rooms of one floor' names check-includes \
	'src/cloud/a.c:2: cloud must not include store'
new_tree
mkdir -p "$tree/src/setup" && printf '#include "orchestrator/loop.h"\n' >"$tree/src/setup/up.c"
check 'check-includes: setup to orchestrator' names check-includes \
	'src/setup/up.c:1: setup must not include orchestrator'
new_tree
printf '#include "word.h"\n' >>"$tree/src/base/word.c"
check 'check-includes: a path without room' names check-includes 'src/base/word.c:7: "word.h" is not of a room'
new_tree
mkdir -p "$tree/src/attic" && printf 'int a;\n' >"$tree/src/attic/a.c"
check 'check-includes: an unknown room' names check-includes 'src/attic/a.c:1: lies in no room'

# check-headers

new_tree
printf '#pragma once\n\nint use(struct later *later);\nsize_t count(void);\n' >"$tree/src/core/job.h"
check 'check-headers: a header that leans on others' names check-headers \
	'src/core/job.h:1: does not compile alone' size_t
new_tree
printf 'struct word {\n\tint a;\n};\n' >"$tree/src/base/word.h"
check 'check-headers: a header that cannot be included twice' names check-headers \
	'src/base/word.h:1: does not compile alone'

# check-purity

objects=$TEST_DIR/build/src/core/libcore.a.p
compile_core() { # CODE: as src/core/thing.c
	rm -rf "$objects" && mkdir -p "$objects"
	printf '%b\n' "$1" | gcc -x c -O1 -c -o "$objects/thing.c.o" -
}
check 'check-purity does not take nothing for good' names check-purity 'no objects'
compile_core '#include <string.h>\nstatic const char *const names[] = {"a"};
	int same(const char *a);\nint same(const char *a) { return strcmp(a, names[0]); }'
check 'check-purity is content with pure code' passes check-purity
compile_core '#include <time.h>\nlong now(void);\nlong now(void) { return time(0); }'
check 'check-purity: the clock' names check-purity 'src/core/thing.c:1: needs time, which is not pure'
compile_core '#include <stdio.h>\nvoid say(void);\nvoid say(void) { puts("a"); }'
check 'check-purity: output' names check-purity 'needs puts'
compile_core 'unsigned long rand_u64(void);\nunsigned long f(void);\nunsigned long f(void) { return rand_u64(); }'
check "check-purity: base's randomness" names check-purity 'needs rand_u64'
compile_core 'int json_load_file(void);\nint f(void);\nint f(void) { return json_load_file(); }'
check 'check-purity: files through jansson' names check-purity 'needs json_load_file'
compile_core 'int next(void);\nint next(void) { static int count; return ++count; }'
check 'check-purity: a static variable' names check-purity 'has a variable of static storage, count'
compile_core 'extern int total;\nint total = 7;'
check 'check-purity: a global variable' names check-purity 'has a variable of static storage, total'

tap_end
