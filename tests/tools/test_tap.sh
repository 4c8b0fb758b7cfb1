#!/bin/bash
# The test harnesses notice failures of every kind: tests/tap.sh and tests/tap.c judged from outside.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
tap_begin

# says EXIT-CODE TEXT… : what $run prints contains each text, and it exits with that.
says() {
	local expected=$1 said code=0 text
	shift
	said=$("${run[@]}" 2>&1) || code=$?
	for text; do
		[[ $said == *"$text"* ]] || {
			printf 'nothing is said of "%s"\n%s\n' "$text" "$said"
			return 1
		}
	done
	[ "$code" -eq "$expected" ] || {
		printf 'exit code %s\n%s\n' "$code" "$said"
		return 1
	}
}

# tests/tap.sh

script() { # CODE: a test script of those lines
	printf '. tests/tap.sh\ntap_begin\n%s\ntap_end\n' "$1" >"$TEST_DIR/script"
	run=(bash "$TEST_DIR/script")
}

script 'check one true'
check 'tap.sh: a check that passes' says 0 'ok 1 - one' '1..1'
script 'check one sh -c "echo seen; exit 4"; check two true'
check 'tap.sh: one that fails, with its output' says 1 'not ok 1 - one' '# seen' 'exit code 4, expected 0' 'ok 2 - two'
script 'check_exit 4 one sh -c "exit 4"'
check 'tap.sh: an exit code that is expected' says 0 'ok 1 - one'
script 'check_exit 4 one true'
check 'tap.sh: one that is not' says 1 'not ok 1 - one'
script 'check_output one "a b" echo a b; check_output two "" true'
check 'tap.sh: output that is expected' says 0 'ok 1' 'ok 2'
script 'check_output one "a" echo b'
check 'tap.sh: output that is not' says 1 'not ok 1' '# expected: a' '# actual:   b'
script 'check_output one "a" sh -c "echo a; exit 1"'
check 'tap.sh: the right output with the wrong exit code' says 1 'not ok 1'
script 'skip one "no such thing here"'
check 'tap.sh: a skip with its reason' says 0 'ok 1 - one # SKIP no such thing here' '1..1'
script 'check one wait_until 1 false'
check 'tap.sh: a deadline' says 1 'not ok 1' 'deadline passed for: false'
# shellcheck disable=SC2016
script 'late() { [ -e "$TEST_DIR/late" ] || { touch "$TEST_DIR/late"; false; }; }; check one wait_until 5 late'
check 'tap.sh: a state that comes' says 0 'ok 1'
script "echo \"\$TEST_DIR\" >'$TEST_DIR/where'; touch \"\$TEST_DIR/file\""
check 'tap.sh: a directory of its own' says 0
check_exit 1 'tap.sh: which is gone afterwards' test -e "$(cat "$TEST_DIR/where")"
script "tap_at_exit() { echo stopped >'$TEST_DIR/stopped'; }; exit 3"
check 'tap.sh: an early exit' says 3
check_output 'tap.sh: what was started is stopped all the same' stopped cat "$TEST_DIR/stopped"

# tests/tap.c

program() { # CODE: a test program of those lines
	printf '#include "base/error.h"\n#include "tap.h"\n#include <signal.h>\n#include <unistd.h>\n%s\n' "$1" \
		>"$TEST_DIR/program.c"
	gcc -std=gnu17 -D_GNU_SOURCE -w -Isrc -Itests -o "$TEST_DIR/program" "$TEST_DIR/program.c" tests/tap.c ||
		echo '# the program does not compile'
	run=("$TEST_DIR/program")
}

program 'TEST(one) { puts("quiet"); EXPECT_INT(1, 1); } TEST(two) { EXPECT_STR("a", "a"); }'
check_output 'tap.c: what passes prints nothing else' $'1..2\nok 1 - one\nok 2 - two' "${run[@]}"
run=("$TEST_DIR/program" tw)
check 'tap.c: tests chosen by name' says 0 '1..1' 'ok 1 - two'
run=("$TEST_DIR/program" nothing)
check 'tap.c: no test is no success' says 1 '1..0'
program 'TEST(one) { puts("seen"); EXPECT(1 == 2); puts("never"); } TEST(two) {}'
check 'tap.c: a failed expectation' says 1 'not ok 1 - one' '# seen' 'program.c:5: 1 == 2' 'ok 2 - two'
program 'TEST(one) { EXPECT_INT(3 - 1, 3); }'
check 'tap.c: numbers that differ' says 1 'not ok 1' '3 - 1 is 2, expected 3'
program 'TEST(one) { EXPECT_STR(NULL, "a"); }'
check 'tap.c: text that is none' says 1 'is "(null)", expected "a"'
program 'static int f(struct error *err) { memcpy(err->msg, "why", 4); return -1; } TEST(one) { struct error err = {0}; EXPECT_OK(f(&err), err); }'
check 'tap.c: an error where there should be none' says 1 'f(&err): why'
program 'TEST(one) { struct error err = {0}; EXPECT_ERR(0, err, ERR_INVALID); }'
check 'tap.c: success where there should be an error' says 1 '0 succeeded'
program 'TEST(one) { puts("last words"); abort(); } TEST(two) { raise(SIGKILL); }'
check 'tap.c: a crash' says 1 'not ok 1 - one' '# last words' '# ended by signal 6' '# ended by signal 9'
program 'TEST(one) { _exit(3); }'
check 'tap.c: an exit that is not the end' says 1 'not ok 1 - one'
program 'TEST(one) { tap_skip("no %s here", "such thing"); }'
check 'tap.c: a skip with its reason' says 0 'ok 1 - one # SKIP no such thing here'
program 'TEST(one) { for (int i = 0; i < 100000; i++) puts("0123456789"); EXPECT(0); }'
check 'tap.c: more output than it keeps' says 1 'not ok 1'
program 'TEST(one) { close(1); close(2); usleep(1000); } TEST(two) { EXPECT(access("left", F_OK)); close(creat("left", 0600)); }
TEST(three) { EXPECT(access("left", F_OK)); }'
check 'tap.c: each test in a directory of its own' says 0 'ok 3'
program 'TEST(one) { if (fork() == 0) { for (;;) pause(); } FILE *file = fopen(getenv("PID_FILE"), "w"); fprintf(file, "%d", getpgrp()); fclose(file); }'
export PID_FILE=$TEST_DIR/group
check 'tap.c: a straggler does not hold it up' says 0 'ok 1'
gone() { ! kill -0 -- "-$(cat "$PID_FILE")" 2>/dev/null; }
check 'tap.c: and is killed' wait_until 5 gone

tap_end
