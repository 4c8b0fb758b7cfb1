/* PostgreSQL's errors as ours. Private to the store. */
#pragma once

#include <libpq-fe.h>

#include "base/error.h"

/* Fills *err from a failed result (never NULL) and returns -1. */
int pg_error_from_result(const PGresult *result, struct error *err);
/* Fills *err from a connection that failed; always ERR_UNAVAILABLE. Returns -1. */
int pg_error_from_connection(const PGconn *conn, struct error *err);
