/* Any sequence of requests to the simulated cloud: "METHOD PATH BODY" on a line each. Every one is
 * answered, actions end at once, what was made can be listed, and nothing leaks. */
#include "base/buf.h"
#include "base/check.h"
#include "base/error.h"
#include "hcloud/action.h"
#include "hcloud/billing.h"
#include "hcloud/serve.h"

#define TOKEN	       "t"
#define REQUESTS_MAX   40
#define RATE_UNLIMITED 1000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The line is cut up. */
static void request(struct sim *sim, char *line)
{
	char *path = strchr(line, ' ');
	char *body = path ? strchr(path + 1, ' ') : NULL;
	struct call call = {
		.sim = sim, .base_url = "", .authorization = "Bearer " TOKEN, .is_local = true};

	if (!path)
		return;
	*path++ = '\0';
	if (body)
		*body++ = '\0';
	char *query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	call.method = line;
	call.path = path;
	call.query_text = query ? query : "";
	call.body_text = body ? body : "";
	call.body_bytes = strlen(call.body_text);
	serve(&call);
	CHECK(call.status >= 200 && call.status < 1000);
	CHECK(call.status == 204 || call.reply != NULL);
	free(serve_body_text(&call));
	call_release(&call);
	action_run_due(sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const struct sim_settings settings = {
		.rate_limit = RATE_UNLIMITED,
		.server_limit = REQUESTS_MAX,
		.action_speed = ACTIONS_FIXED,
		.ip_order = IP_ORDER_LOWEST,
	};
	CLEANUP(cleanup_free) char *text = xstrndup((const char *)data, bytes);
	char *line = text;
	struct sim sim;

	sim_init(&sim, NULL, &settings, 1);
	sim_add_token(&sim, TOKEN, "p");
	for (size_t i = 0; line && *line && i < REQUESTS_MAX; i++) {
		char *end = strchr(line, '\n');

		if (end)
			*end++ = '\0';
		request(&sim, line);
		line = end;
	}
	char list[] = "GET /v1/servers";
	request(&sim, list);
	json_decref(billing_statement(&sim, sim.projects[0]));
	sim_release(&sim);
	return 0;
}
