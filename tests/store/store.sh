# shellcheck shell=bash
# For shell tests of the store, under tests/with-postgres: a migrated database with the helpers of
# tests/store/helpers.sql. RGRID_BUILD names the build directory.

store_sql() { # file
	psql -X -q -v ON_ERROR_STOP=1 -d "$RGRID_TEST_CONNINFO" -f "$1" >/dev/null
}

store_ask() { # SQL → its answer
	psql -X -A -t -q -v ON_ERROR_STOP=1 -d "$RGRID_TEST_CONNINFO" -c "$1"
}

store_ask_as() { # login SQL
	psql -X -A -t -q -v ON_ERROR_STOP=1 -d "${RGRID_TEST_CONNINFO/user=postgres/user=$1}" -c "$2"
}

store_migrate() {
	"${RGRID_BUILD:-build}/tests/unit/store/migrate_database" "$RGRID_TEST_CONNINFO" &&
		store_sql tests/store/helpers.sql && return
	echo "Bail out! the database cannot be migrated"
	exit 1
}
