/* fleet_probe CONNINFO CHOICES [option=number…]: the fleet's loop with the real store and the real
 * Hetzner Cloud client, stepped by standard input. The provider's token and endpoint are in the
 * environment. Lines:
 *
 *	step [N]        steps N times; prints a line for each thing done, then "stepped"
 *	advance S       from now on the database's clock is believed to be S seconds further on
 *	waits           prints why jobs wait
 *	deletion        prints what the longest of the last deletions took, in milliseconds
 *	stop            ends
 *
 * Options: max, min, warm, slots, orphan_ms, bake_ms, ipv4, network, margin_ms, spread, sweep_ms.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "orchestrator/fleet_loop.h"
#include "orchestrator/fleet_store.h"
#include "orchestrator/hetzner_fleet.h"
#include "store/pg.h"

#define LINE_BYTES 256
#define SECOND_US  INT64_C(1000000)

static struct fleet_store real_store;
static int64_t offset_us;

static int shifted_lead(void *context, struct fleet_lead *ret, struct error *err)
{
	if (real_store.lead(context, ret, err) < 0)
		return -1;
	ret->now_us += offset_us;
	return 0;
}

static int shifted_observe(void *context, struct fleet_world *ret, struct error *err)
{
	if (real_store.observe(context, ret, err) < 0)
		return -1;
	ret->now_us += offset_us;
	return 0;
}

static void on_done(void *context, const struct fleet_done *done)
{
	(void)context;
	if (done->action == NULL) {
		printf("look failed: %s\n", done->err->msg);
		return;
	}
	printf("%s rule=%d server=%" PRId64 " name=%s%s%s%s%s\n",
	       fleet_action_kind_name(done->action->kind), done->action->rule, done->server_id,
	       done->name != NULL ? done->name : "-", done->message != NULL ? " refused: " : "",
	       done->message != NULL ? done->message : "", done->err != NULL ? " failed: " : "",
	       done->err != NULL ? done->err->msg : "");
}

static int user_data(void *context, const struct fleet_creation *creation, char **ret,
		     struct error *err)
{
	(void)context, (void)err;
	*ret = xasprintf("#cloud-config\n# %s\n", creation->intent->name);
	return 0;
}

static void set_option(const char *text, struct fleet_policy *policy,
		       struct hetzner_fleet_options *options)
{
	const char *equals = strchr(text, '=');
	uint64_t number = equals != NULL ? strtoull(equals + 1, NULL, 10) : 0;

	if (str_has_prefix(text, "max="))
		policy->max = number;
	else if (str_has_prefix(text, "min="))
		policy->min = number;
	else if (str_has_prefix(text, "warm="))
		policy->warm = number;
	else if (str_has_prefix(text, "slots="))
		policy->slots = (uint32_t)number;
	else if (str_has_prefix(text, "orphan_ms="))
		policy->orphan_ms = number;
	else if (str_has_prefix(text, "bake_ms="))
		policy->bake_ms = number;
	else if (str_has_prefix(text, "margin_ms="))
		policy->hour_margin_ms = number;
	else if (str_has_prefix(text, "ipv4="))
		options->public_ipv4 = number != 0;
	else if (str_has_prefix(text, "spread="))
		options->spread = number != 0;
	else if (str_has_prefix(text, "sweep_ms="))
		options->sweep_ms = number;
	else if (str_has_prefix(text, "network="))
		options->network_id = (int64_t)number;
	else
		fprintf(stderr, "fleet_probe: what is %s?\n", text);
}

static void step(struct fleet_loop *loop, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct fleet_step step = {0};
		struct error err = {0};

		fleet_loop_look(loop);
		if (fleet_loop_step(loop, &step, &err) < 0)
			printf("step failed: %s\n", err.msg);
		else if (!step.leads)
			printf("another leads\n");
	}
	printf("stepped\n");
}

static void print_waits(struct fleet_loop *loop)
{
	const struct fleet_plan *plan = fleet_loop_last_plan(loop);

	for (size_t i = 0; i < plan->wait_count; i++)
		printf("%s %" PRIu64 ": %s\n", fleet_wait_code_name(plan->waits[i].code),
		       plan->waits[i].count, plan->waits[i].text);
	printf("told\n");
}

static void serve(struct fleet_loop *loop)
{
	char line[LINE_BYTES];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (str_has_prefix(line, "stop"))
			return;
		if (str_has_prefix(line, "step"))
			step(loop, line[4] == ' ' ? (unsigned)strtoul(line + 5, NULL, 10) : 1);
		else if (str_has_prefix(line, "advance "))
			offset_us += strtoll(line + 8, NULL, 10) * SECOND_US;
		else if (str_has_prefix(line, "waits"))
			print_waits(loop);
		else if (str_has_prefix(line, "deletion"))
			printf("%" PRIu64 "\ntold\n", fleet_loop_world(loop)->deletion_ms);
		(void)fflush(stdout);
	}
}

static int run(int argc, char **argv, struct error *err)
{
	struct server_choice choices[FLEET_CHOICES_MAX];
	CLEANUP(cleanup_hetzner) struct hetzner *hetzner = NULL;
	CLEANUP(cleanup_pg) struct pg *pg = pg_new(argv[1]);
	CLEANUP(cleanup_fleet_loop) struct fleet_loop *loop = NULL;
	struct fleet_policy policy;
	struct fleet_cloud cloud;
	struct hetzner_fleet_options options = {
		.grid_id = "testgrid", .choices = choices, .image = "debian-12"};

	fleet_policy_default(&policy);
	policy.max = 10;
	for (int i = 3; i < argc; i++)
		set_option(argv[i], &policy, &options);
	policy.network_limit = options.network_id != 0 ? HETZNER_NETWORK_SERVERS_MAX : 0;
	if (hetzner_new_from_environment(&hetzner, err) < 0 ||
	    server_choices_parse(argv[2], choices, FLEET_CHOICES_MAX, &options.choice_count, err) <
		    0)
		return -1;
	options.hetzner = hetzner;
	options.user_data = user_data;
	struct fleet_store_options store_options = {.pg = pg,
						    .worker_conninfo = argv[1],
						    .name_prefix = "rgrid-worker-",
						    .sized = true};
	struct fleet_store_pg *store_pg = fleet_store_pg_new(&store_options, &real_store);
	struct fleet_store store = real_store;
	store.lead = shifted_lead;
	store.observe = shifted_observe;
	struct fleet_listener listener = {.done = on_done};
	struct hetzner_fleet *fleet = hetzner_fleet_new(&options, &cloud);
	loop = fleet_loop_new(&store, &cloud, &policy, &listener);
	serve(loop);
	fleet_loop_free(TAKE_PTR(loop));
	hetzner_fleet_free(fleet);
	fleet_store_pg_free(store_pg);
	return 0;
}

int main(int argc, char **argv)
{
	struct error err = {0};

	if (argc < 3)
		return 2;
	if (run(argc, argv, &err) == 0)
		return 0;
	fprintf(stderr, "fleet_probe: %s\n", err.msg);
	return 1;
}
