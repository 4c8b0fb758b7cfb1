#!/usr/bin/env bash
# The races that the queue must win: each spec orders steps of several sessions, and what they answer is
# compared with expected/. `test_races.sh --accept` writes expected/ anew, to be read before it is kept.
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ -z "${RGRID_TEST_CONNINFO-}" ]; then
	exec tests/with-postgres "$0" "$@"
fi
. tests/tap.sh
. tests/store/store.sh
tap_begin

find_tester() {
	local candidate
	for candidate in "$(command -v isolationtester)" /usr/lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester; do
		[ -x "$candidate" ] && tester=$candidate
	done
	[ -n "${tester-}" ]
}

run_spec() {
	timeout 60 "$tester" "$RGRID_TEST_CONNINFO" <"$1" >"$TEST_DIR/$2.out" 2>&1
}

as_expected() {
	run_spec "$1" "$2" || { cat "$TEST_DIR/$2.out"; return 1; }
	diff -u "tests/isolation/expected/$2.out" "$TEST_DIR/$2.out"
}

if ! find_tester; then
	echo "1..0 # SKIP isolationtester is not installed (Debian: postgresql-client-15)"
	exit 0
fi
store_migrate
store_sql tests/isolation/helpers.sql || exit 1

for spec in tests/isolation/specs/*.spec; do
	name=$(basename "$spec" .spec)
	if [ "${1-}" = --accept ]; then
		run_spec "$spec" "$name"
		cp "$TEST_DIR/$name.out" "tests/isolation/expected/$name.out"
	else
		check "race: $name" as_expected "$spec" "$name"
	fi
done
tap_end
