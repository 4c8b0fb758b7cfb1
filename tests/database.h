/* Databases for unit tests. A program that is linked with this and was not started under
 * tests/with-postgres starts itself anew under it, so that it always has a PostgreSQL of its own. */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

/* Makes a database of its own for the running test, empty or migrated, and returns a conninfo for it as
 * superuser (never freed). Fails the test when it cannot. */
const char *test_database_empty(void);
const char *test_database(void);
/* The same database for another login (no passwords are asked). */
char *test_conninfo_as(const char *conninfo, const char *user);

PGconn *test_connect(const char *conninfo);

/* Runs SQL built by printf and returns the first column of the first row ("" for NULL or no row), valid
 * until freed. An error fails the test. */
__attribute__((format(printf, 2, 3))) char *test_ask(PGconn *conn, const char *format, ...);
__attribute__((format(printf, 2, 3))) int64_t test_ask_i64(PGconn *conn, const char *format, ...);
/* Runs SQL that must fail, and returns the SQLSTATE. */
__attribute__((format(printf, 2, 3))) char *test_ask_error(PGconn *conn, const char *format, ...);
