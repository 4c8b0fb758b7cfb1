/* Databases for unit tests. A program that is linked with this and was not started under
 * tests/with-postgres starts itself anew under it, so that it always has a PostgreSQL of its own.
 */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

/* What these functions return belongs to the test: it is closed and freed when the test ends. */

/* Makes a database for the running test, empty or migrated; a conninfo for it as superuser. Fails
 * the test when it cannot, as everything here. */
const char *test_database_empty(void);
const char *test_database(void);
/* The same database for another login (no passwords are asked). */
const char *test_conninfo_as(const char *conninfo, const char *user);

PGconn *test_connect(const char *conninfo);

/* Runs SQL built by printf. */
__attribute__((format(printf, 2, 3))) void test_do(PGconn *conn, const char *format, ...);
/* … and answers the first column of the first row; "" for NULL or no row. */
__attribute__((format(printf, 2, 3))) const char *test_ask(PGconn *conn, const char *format, ...);
__attribute__((format(printf, 2, 3))) int64_t test_ask_i64(PGconn *conn, const char *format, ...);
/* Runs SQL that must fail; the SQLSTATE. */
__attribute__((format(printf, 2, 3))) const char *test_ask_error(PGconn *conn, const char *format,
								 ...);
