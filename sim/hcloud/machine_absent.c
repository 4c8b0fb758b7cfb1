/* In place of machines where they are not built: --machines netns is refused, so that the rest is
 * never reached. */
#include "base/check.h"
#include "hcloud/machine.h"

int machine_backend_new_netns(const struct machine_backend_options *options,
			      struct machine_backend **ret, struct error *err)
{
	(void)options;
	(void)ret;
	return error_set(err, ERR_INVALID, "this hcloud-sim was built without machines");
}

void machine_backend_free(struct machine_backend *backend)
{
	(void)backend;
	UNREACHABLE();
}

int machine_power_on(struct machine_backend *backend, const struct machine_spec *spec,
		     struct error *err)
{
	(void)backend;
	(void)spec;
	(void)err;
	UNREACHABLE();
}

void machine_power_off(struct machine_backend *backend, int64_t server_id)
{
	(void)backend;
	(void)server_id;
	UNREACHABLE();
}

void machine_shut_down(struct machine_backend *backend, int64_t server_id)
{
	(void)backend;
	(void)server_id;
	UNREACHABLE();
}

int machine_attach(struct machine_backend *backend, int64_t server_id,
		   const struct machine_private_net *net, struct error *err)
{
	(void)backend;
	(void)server_id;
	(void)net;
	(void)err;
	UNREACHABLE();
}

void machine_detach(struct machine_backend *backend, int64_t server_id, int64_t network_id)
{
	(void)backend;
	(void)server_id;
	(void)network_id;
	UNREACHABLE();
}

void machine_delete(struct machine_backend *backend, int64_t server_id)
{
	(void)backend;
	(void)server_id;
	UNREACHABLE();
}

int machine_partition(struct machine_backend *backend, int64_t server_id, bool cut,
		      struct error *err)
{
	(void)backend;
	(void)server_id;
	(void)cut;
	(void)err;
	UNREACHABLE();
}
