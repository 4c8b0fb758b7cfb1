/* A migrated database with the helpers of tests/store/helpers.sql, and workers in it. */
#pragma once

#include "database.h"
#include "tap.h"

/* The database of the running test, with helpers; a connection as superuser. */
const char *queue_database(PGconn **ret);

struct test_worker {
	PGconn *conn; /* as the worker's login */
	int64_t id;
	int incarnation;
};
struct test_worker worker_new(const char *conninfo, PGconn *admin, const char *name);
void worker_join(struct test_worker *worker);

struct test_lease {
	int64_t job;
	int attempt;
	int64_t token;
};
/* Claims one job; job is 0 when there is none. */
struct test_lease worker_claim(const struct test_worker *worker);
/* Returns the verdict: 1 recorded, 2 already, 3 lost. */
int worker_finish(const struct test_worker *worker, const struct test_lease *lease, int outcome);

/* Fails the test when t.violations() has any. */
void expect_sound(PGconn *admin);
#define EXPECT_PLACE(admin, job, expected)                                                      \
	do {                                                                                    \
		const char *place_ = test_ask(admin, "SELECT t.place(%lld)", (long long)(job)); \
		EXPECT_STR(place_, expected);                                                   \
	} while (0)

int64_t submit_one(PGconn *admin);
void tick(PGconn *admin);
void pass_time(PGconn *admin); /* makes what is delayed due, and ticks */
void fall_silent(PGconn *admin, const struct test_worker *worker, int seconds);

#define EXPECT_REFUSED(conn, sqlstate, ...)                             \
	do {                                                            \
		const char *state_ = test_ask_error(conn, __VA_ARGS__); \
		EXPECT_STR(state_, sqlstate);                           \
	} while (0)
