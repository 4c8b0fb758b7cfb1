# shellcheck shell=bash
# TAP for shell tests. Source it, then:
#
#   tap_begin                                      a directory of its own in $TEST_DIR
#   check 'what' command args…                     passes if the command exits with 0
#   check_exit 3 'what' command args…              … with 3
#   check_output 'what' 'expected' command args…   … with 0, printing exactly that (final newlines aside)
#   wait_until SECONDS command args…               polls until the command succeeds; fails at the deadline
#   skip 'what' 'why'                              a check that cannot be made here, with the reason
#   tap_end                                        prints the plan; exits 1 if anything failed
#
# What a failed command printed is shown. Commands may be functions of the test.

tap_count=0
tap_failed=0

tap_begin() {
	TEST_DIR=$(mktemp -d /tmp/rgrid-test-XXXXXX)
	export TEST_DIR
	chmod 755 "$TEST_DIR"
	trap 'tap_cleanup' EXIT
	trap 'exit 130' INT TERM
}

# Tests may define tap_at_exit to stop what they started.
tap_cleanup() {
	if declare -F tap_at_exit >/dev/null; then tap_at_exit; fi
	# What scripts of an ordinary user's jobs wrote is owned by ids that are his in a user namespace only.
	rm -rf --one-file-system "$TEST_DIR" 2>/dev/null ||
		unshare --map-root-user --map-auto rm -rf --one-file-system "$TEST_DIR"
}

tap_result() { # passed? description
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
		# awk ends the last line, which else the next result would continue.
		head -c 8000 "$TEST_DIR/.output" | tr -d '\0' | awk '{ print "# " $0 }'
	fi
}

check() { check_exit 0 "$@"; }

check_exit() {
	local expected=$1 what=$2 code=0
	shift 2
	"$@" >"$TEST_DIR/.output" 2>&1 || code=$?
	if [ "$code" -ne "$expected" ]; then
		printf '\n(exit code %s, expected %s)\n' "$code" "$expected" >>"$TEST_DIR/.output"
		tap_result 1 "$what"
	else
		tap_result 0 "$what"
	fi
}

check_output() {
	local what=$1 expected=$2 actual code=0
	shift 2
	actual=$("$@" 2>"$TEST_DIR/.output") || code=$?
	if [ "$code" -eq 0 ] && [ "$actual" = "$expected" ]; then
		tap_result 0 "$what"
	else
		printf '(exit code %s)\nexpected: %s\nactual:   %s\n' "$code" "$expected" "$actual" >>"$TEST_DIR/.output"
		tap_result 1 "$what"
	fi
}

wait_until() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "deadline passed for: $*"
			return 1
		fi
		read -r -t 0.05 <> <(:) || true
	done
}

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

tap_end() {
	echo "1..$tap_count"
	[ "$tap_failed" -eq 0 ] || exit 1
	exit 0
}
