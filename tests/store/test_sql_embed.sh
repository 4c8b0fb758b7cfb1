#!/usr/bin/env bash
# tools/sql-embed.awk: what comes out of the compiled text is byte for byte what stood in the SQL file.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin

embed() { awk -v mode="$1" -v array=files -f tools/sql-embed.awk "${@:2}"; }

cat >"$TEST_DIR/odd.sql" <<'SQL'
-- name: odd
-- A comment with a "quote" and a \ backslash.
SELECT E'a\\b\n"c"', '\x5c', '??/', '%s &', $2, $1
	, $10, $3, $4, $5, $6, $7, $8, $9;

-- name: plain
SELECT 1;
SQL
sed '/^--/d; /^$/d' "$TEST_DIR/odd.sql" >"$TEST_DIR/expected.sql"

cat >"$TEST_DIR/main.c" <<'C'
#include <stdio.h>
#include "store/queries.h"
#include "store/sql_file.h"
int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		printf("%s\n%s", files[0].name, files[0].sql);
	else
		printf("%s%s%d %d\n", query_odd.sql, query_plain.sql, query_odd.param_count,
		       query_plain.param_count);
	return files[1].name != NULL;
}
C

builds() {
	mkdir -p "$TEST_DIR/store" &&
		embed queries-h "$TEST_DIR/odd.sql" >"$TEST_DIR/store/queries.h" &&
		embed queries-c "$TEST_DIR/odd.sql" >"$TEST_DIR/queries.c" &&
		{ embed files "$TEST_DIR/odd.sql" && echo; } >"$TEST_DIR/files.c" &&
		sed -i 's/^const struct sql_file files/extern const struct sql_file files[]; &/' "$TEST_DIR/files.c" &&
		sed -i '3i extern const struct sql_file files[];' "$TEST_DIR/main.c" &&
		sed -i '1i #include "store/sql_file.h"' "$TEST_DIR/main.c" &&
		"${CC:-cc}" -Wall -Wextra -Wpedantic -Werror -I"$TEST_DIR" -Isrc -I"$(pg_config --includedir)" \
			"$TEST_DIR/main.c" "$TEST_DIR/queries.c" "$TEST_DIR/files.c" -o "$TEST_DIR/main"
}
statements_survive() { "$TEST_DIR/main" | diff - <(cat "$TEST_DIR/expected.sql" && echo "10 0"); }
files_survive() { "$TEST_DIR/main" file | diff - <(echo odd && cat "$TEST_DIR/odd.sql"); }
refused() { # expected text in the message, then the file's text
	printf '%s\n' "${@:2}" >"$TEST_DIR/bad.sql"
	if embed queries-c "$TEST_DIR/bad.sql" >"$TEST_DIR/bad.c" 2>"$TEST_DIR/bad.err"; then
		echo "it was accepted"
		return 1
	fi
	grep -F "$1" "$TEST_DIR/bad.err" || { cat "$TEST_DIR/bad.err"; return 1; }
}

check "the generated C compiles without a warning" builds
check "statements survive" statements_survive
check "whole files survive" files_survive
# shellcheck disable=SC2016 # parameters of SQL
check "a gap in the parameters is refused" refused 'does not use $1' "-- name: a" 'SELECT $2;'
check "a name used twice is refused" refused 'defined twice' "-- name: a" "SELECT 1;" "-- name: a" "SELECT 2;"
check "a bad name is refused" refused 'bad statement name' "-- name: A-b" "SELECT 1;"
check "an empty statement is refused" refused 'is empty' "-- name: a" "-- name: b" "SELECT 1;"
check "text without a name is refused" refused 'before the first' "SELECT 1;"
tap_end
