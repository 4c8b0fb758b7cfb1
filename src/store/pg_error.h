/* PostgreSQL's errors as ours. Private to the store. */
#pragma once

#include <libpq-fe.h>

#include "base/error.h"

/* Fills *err from a failed result (never NULL) and returns -1. */
int pg_error_from_result(const PGresult *result, struct error *err);
/* Fills *err from a connection that failed. ERR_UNAUTHENTICATED with its SQLSTATE when the server
 * answered that it does not let the login in (password, role, pg_hba.conf), else ERR_UNAVAILABLE.
 * The two are told apart on connections of PQERRORS_VERBOSE alone, whose messages carry the
 * SQLSTATE. Returns -1. */
int pg_error_from_connection(const PGconn *conn, struct error *err);
