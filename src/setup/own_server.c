#include "setup/own_server.h"

#include <stdlib.h>

#include "base/http_client.h"
#include "base/str.h"
#include "core/label.h"

#define METADATA_ENDPOINT   "http://169.254.169.254"
#define METADATA_PATH	    "/hetzner/v1/metadata/instance-id"
#define METADATA_TIMEOUT_MS 2000 /* it answers at once, or this is no server of Hetzner's */
#define METADATA_BYTES_MAX  64
#define CANDIDATES_MAX	    6 /* named in a message */

static const struct hetzner_server *by_id(const struct hetzner_server_list *servers, int64_t id)
{
	for (size_t i = 0; i < servers->count; i++) {
		if (servers->items[i].id == id)
			return &servers->items[i];
	}
	return NULL;
}

static const struct hetzner_server *by_name(const struct hetzner_server_list *servers,
					    const char *name)
{
	for (size_t i = 0; i < servers->count; i++) {
		if (str_eq(servers->items[i].name, name))
			return &servers->items[i];
	}
	return NULL;
}

static bool is_control(const struct hetzner_server *server)
{
	const char *role = hetzner_label_get(&server->labels, LABEL_ROLE);
	return role != NULL && str_eq(role, "control");
}

static bool is_worker(const struct hetzner_server *server)
{
	return hetzner_label_get(&server->labels, LABEL_WORKER) != NULL;
}

/* "a (ID: 1), b (ID: 2)": those that are no workers, of the control role if `control`. */
static void list_candidates(const struct hetzner_server_list *servers, bool control,
			    struct buf *out)
{
	size_t shown = 0;
	size_t left = 0;

	for (size_t i = 0; i < servers->count; i++) {
		const struct hetzner_server *server = &servers->items[i];
		if (is_worker(server) || (control && !is_control(server)))
			continue;
		if (shown == CANDIDATES_MAX) {
			left++;
			continue;
		}
		buf_appendf(out, "%s%s (ID: %lld)", shown > 0 ? ", " : "", server->name,
			    (long long)server->id);
		shown++;
	}
	if (left > 0)
		buf_appendf(out, " and %zu more", left);
	if (shown == 0)
		buf_append_str(out, "none");
}

static int not_found(const struct hetzner_server_list *servers, bool control, const char *what,
		     struct error *err)
{
	CLEANUP(cleanup_buf) struct buf names;

	buf_init(&names, ERROR_MESSAGE_BYTES);
	list_candidates(servers, control, &names);
	(void)error_set(err, ERR_NOT_FOUND, "%s; candidates: %s", what, names.data);
	return error_hint(err, "name it: --server NAME or --server ID");
}

/* 0 when there is no metadata service of Hetzner's here. */
static int64_t ask_metadata(void)
{
	CLEANUP(cleanup_http_client) struct http_client *client = NULL;
	CLEANUP(cleanup_http_response) struct http_response response = {0};
	const char *endpoint = getenv(OWN_SERVER_METADATA_VARIABLE);
	struct error ignored = {0};
	struct http_client_options options = {
		.base_url = endpoint != NULL ? endpoint : METADATA_ENDPOINT,
		.user_agent = "rgrid/" RGRID_VERSION,
		.connect_timeout_ms = METADATA_TIMEOUT_MS,
	};
	struct http_request request = {
		.method = "GET",
		.path = METADATA_PATH,
		.body_fd = -1,
		.timeout_ms = METADATA_TIMEOUT_MS,
		.body_bytes_max = METADATA_BYTES_MAX,
	};
	int64_t id = 0;

	if (http_client_new(&options, &client, &ignored) < 0 ||
	    http_client_perform(client, &request, &response, &ignored) < 0 ||
	    response.status != 200)
		return 0;
	size_t bytes = response.body.bytes;
	while (bytes > 0 &&
	       (response.body.data[bytes - 1] == '\n' || response.body.data[bytes - 1] == '\r'))
		response.body.data[--bytes] = '\0';
	if (parse_i64(response.body.data, 1, INT64_MAX, &id, &ignored) < 0)
		return 0;
	return id;
}

static int find_named(const char *name, const struct hetzner_server_list *servers,
		      const struct hetzner_server **ret, struct error *err)
{
	struct error ignored = {0};
	int64_t id = 0;
	const struct hetzner_server *server = by_name(servers, name);

	if (server == NULL && parse_i64(name, 1, INT64_MAX, &id, &ignored) == 0)
		server = by_id(servers, id);
	if (server == NULL) {
		CLEANUP(cleanup_free)
		char *what = xasprintf("the project has no server \"%.64s\"", name);
		return not_found(servers, false, what, err);
	}
	*ret = server;
	return 0;
}

int own_server_find(const char *name, const struct hetzner_server_list *servers,
		    const struct hetzner_server **ret, struct error *err)
{
	const struct hetzner_server *found = NULL;
	size_t found_count = 0;

	if (name != NULL)
		return find_named(name, servers, ret, err);
	int64_t id = ask_metadata();
	if (id != 0) {
		found = by_id(servers, id);
		if (found == NULL) {
			(void)error_set(err, ERR_NOT_FOUND,
					"this machine is server %lld, which the token's project "
					"does not have",
					(long long)id);
			return error_hint(err, "use a token of the project that this server is in");
		}
		*ret = found;
		return 0;
	}
	for (size_t i = 0; i < servers->count; i++) {
		if (is_control(&servers->items[i])) {
			found = &servers->items[i];
			found_count++;
		}
	}
	if (found_count > 1)
		return not_found(servers, true,
				 "several servers have the label " LABEL_ROLE "=control", err);
	if (found_count == 0)
		return not_found(servers, false,
				 "cannot tell which server this is: no metadata service answers, "
				 "and none has the label " LABEL_ROLE "=control",
				 err);
	*ret = found;
	return 0;
}
