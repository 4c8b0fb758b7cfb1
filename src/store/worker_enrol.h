/* A worker's first contact with the database, before it has an event loop: see
 * sql/functions/worker_enrol.sql. Waits. */
#pragma once

#include "base/error.h"

/* Whether the login may come in:
 *   ERR_UNAUTHENTICATED   no rule of pg_hba.conf for it, or a role that may not log in; with the
 *                         SQLSTATE WORKER_ENROL_DEAD: password wrong or expired, or no such role
 *   ERR_INVALID           the server's certificate is not of our CA, or for another name; or it
 *                         speaks no TLS, or the connection string is none
 *   ERR_UNAVAILABLE       not reachable, or not ready: worth another try */
#define WORKER_ENROL_DEAD "28P01" /* invalid_password */
MUST_CHECK int worker_enrol_probe(const char *conninfo, struct error *err);

/* Gives the login the password behind `verifier` (scram.h). ERR_FORBIDDEN when the worker has
 * enrolled before, or is late; ERR_UNAVAILABLE: may have had its effect. */
MUST_CHECK int worker_enrol_do(const char *conninfo, const char *verifier, struct error *err);
