/* Any request to a simulated machine's metadata service: what is refused has a status that the
 * service knows, and what is not is a path that stood in the request. */
#include "base/buf.h"
#include "base/check.h"
#include "base/str.h"
#include "hcloud/machine_netns_identity.h"
#include "hcloud/machine_netns_metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct identity *make_identity(void)
{
	static const char *const keys[] = {"ssh-ed25519 AAAA \"quoted\"", NULL};
	static const char *const aliases[] = {"10.0.1.9", "10.0.1.10", NULL};
	static const struct machine_private_net nets[] = {
		{
			.network_id = 10,
			.network_name = "lab: \"x\"\n",
			.network_range = "10.0.0.0/16",
			.subnet_range = "10.0.1.0/24",
			.gateway = "10.0.0.1",
			.ip = "10.0.1.2",
			.mac_address = "86:00:00:00:10:02",
			.alias_ips = aliases,
		},
	};
	const struct machine_spec spec = {
		.server_id = 1,
		.name = "web-1",
		.location = "fsn1",
		.network_zone = "eu-central",
		.public_ipv4 = "198.18.0.2",
		.user_data = "#!/bin/sh\n",
		.user_data_bytes = 10,
		.ssh_keys = keys,
		.private_nets = nets,
		.private_net_count = ARRAY_SIZE(nets),
	};
	struct identity *identity = NULL;
	struct error err;

	CHECK(identity_new(&spec, &identity, &err) == 0);
	return identity;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct identity *identity; /* for all runs */
	CLEANUP(cleanup_buf) struct buf document;
	char path[METADATA_PATH_BYTES];

	buf_init(&document, IDENTITY_DOCUMENT_BYTES_MAX);
	int status = metadata_parse_request((const char *)data, bytes, path);

	if (status != 0) {
		CHECK(status == 400 || status == 404 || status == 405);
		return 0;
	}
	size_t path_bytes = strlen(path);

	CHECK(path[0] == '/' && path_bytes < sizeof(path));
	CHECK(strpbrk(path, " ?\r") == NULL);
	CHECK(bytes > 4 + path_bytes && memcmp(data, "GET ", 4) == 0 &&
	      memcmp(data + 4, path, path_bytes) == 0);
	CHECK(data[4 + path_bytes] == ' ' || data[4 + path_bytes] == '?');
	if (identity == NULL)
		identity = make_identity();
	if (identity_document(identity, path, &document))
		CHECK(!document.overflowed && document.bytes > 0 &&
		      str_has_prefix(path, "/hetzner/v1/"));
	else
		CHECK(document.bytes == 0);
	return 0;
}
