/* The orchestrator on a real database, with a cloud that gives whatever is asked for. */
#include "orchestrator/orchestrator.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "database.h"
#include "tap.h"

#define NEVER_MS    (24ULL * 3600 * 1000)
#define DEADLINE_MS 30000ULL
#define LOOK_MS	    20
#define ROUNDS	    3
#define SERVERS_MAX 8

struct generous {
	struct fleet_server servers[SERVERS_MAX];
	size_t server_count;
};

static int give_choices(void *context, struct fleet_world *ret, struct error *err)
{
	struct fleet_choice *choice = fleet_world_add_choice(ret);

	(void)context, (void)err;
	(void)snprintf(choice->server_type, sizeof(choice->server_type), "cx23");
	(void)snprintf(choice->location, sizeof(choice->location), "nbg1");
	return 0;
}

static int list(void *context, struct fleet_world *ret, struct error *err)
{
	const struct generous *cloud = context;

	(void)err;
	for (size_t i = 0; i < cloud->server_count; i++)
		*fleet_world_add_server(ret) = cloud->servers[i];
	return 0;
}

static void create(void *context, struct fleet_creation *creations, size_t count)
{
	struct generous *cloud = context;

	for (size_t i = 0; i < count; i++) {
		int64_t id = 1001 + (int64_t)cloud->server_count;
		int64_t worker_id = creations[i].intent->worker_id;

		EXPECT(cloud->server_count < SERVERS_MAX);
		cloud->servers[cloud->server_count++] = (struct fleet_server){
			.id = id, .worker_id = worker_id, .created_us = clock_wall_us()};
		creations[i].ret_answer = FLEET_ANSWER_ACCEPTED;
		creations[i].ret_created_us = clock_wall_us();
		creations[i].ret_server =
			(struct fleet_pending){.worker_id = worker_id, .server_id = id};
	}
}

static uint64_t requests_left(void *context)
{
	(void)context;
	return UINT64_MAX;
}

static uint64_t list_again_ms(void *context, bool under_way)
{
	(void)context, (void)under_way;
	return 0;
}

static bool wait_for(PGconn *conn, const char *condition)
{
	uint64_t until_ms = clock_boottime_ms() + DEADLINE_MS;
	bool met = false;

	while (!(met = test_ask_i64(conn, "SELECT count(*) WHERE %s", condition) == 1) &&
	       clock_boottime_ms() < until_ms)
		(void)usleep(LOOK_MS * 1000);
	return met;
}

/* What the orchestrator writes down after a look that found nothing to do. */
#define QUIET                                                             \
	"(SELECT fleet_limits IS NOT NULL FROM rg.grid) AND NOT EXISTS (" \
	"SELECT FROM rg.fleet_wait) AND NOT EXISTS (SELECT FROM rg.ready)"

/* Submits jobs, as the API does, each time when all is quiet, and one more than workers boot. */
static void submit_all(const char *conninfo)
{
	PGconn *conn = test_connect(conninfo);

	for (int i = 1; i <= ROUNDS && wait_for(conn, QUIET); i++) {
		CLEANUP(cleanup_free)
		char *ordered = xasprintf(
			"(SELECT count(*) FROM rg.worker WHERE server_id IS NOT NULL) = %d", i);

		test_do(conn,
			"SELECT count(*) FROM rg.submit(1, NULL, array_fill('{\"limits\": "
			"{}}'::text, ARRAY[%d]), array_fill(NULL::text, ARRAY[%d]), "
			"array_fill(NULL::text, ARRAY[%d]), array_fill(0::int2, ARRAY[%d]))",
			i, i, i, i);
		test_do(conn, "NOTIFY rg_wake");
		if (!wait_for(conn, ordered))
			return;
		test_do(conn, "DELETE FROM rg.ready");
	}
}

TEST(a_server_is_ordered_when_a_job_is_submitted_and_not_when_the_next_look_is_due)
{
	const char *conninfo = test_database();
	struct generous cloud = {0};
	struct fleet_cloud port = {.context = &cloud,
				   .choices = give_choices,
				   .list = list,
				   .create = create,
				   .requests_left = requests_left,
				   .list_again_ms = list_again_ms};
	struct orchestrator_options options = {
		.conninfo = test_conninfo_as(conninfo, "rgrid_orchestrator"),
		.worker_conninfo = conninfo,
		.name_prefix = "test-",
		.cloud = &port,
		.quiet_ms = NEVER_MS};
	struct error err = {0};
	sigset_t signals;

	fleet_policy_default(&options.policy);
	options.policy.max = SERVERS_MAX;
	/* Before there is anybody who sends one. */
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	pid_t parent = getpid();
	pid_t child = fork();
	if (child == 0) {
		/* The orchestrator is stopped also when the submissions fail. */
		if ((child = fork()) == 0) {
			submit_all(conninfo);
			_exit(0);
		}
		(void)waitpid(child, NULL, 0);
		(void)kill(parent, SIGTERM);
		_exit(0);
	}
	EXPECT(child > 0);
	EXPECT_OK(orchestrator_run(&options, &err), err);
	EXPECT_INT(waitpid(child, NULL, 0), child);
	EXPECT_INT(cloud.server_count, ROUNDS);
}
