#include "hcloud/absent.h"

#include "hcloud/listing.h"
#include "hcloud/resource.h"

/* X(name, KIND, path) */
#define ABSENT(X)                                                    \
	X(volume, VOLUME, "/volumes")                                \
	X(floating_ip, FLOATING_IP, "/floating_ips")                 \
	X(load_balancer, LOAD_BALANCER, "/load_balancers")           \
	X(balancer_type, LOAD_BALANCER_TYPE, "/load_balancer_types") \
	X(certificate, CERTIFICATE, "/certificates")                 \
	X(iso, ISO, "/isos")

static int list(struct call *call, enum kind kind)
{
	struct listing listing;

	listing_begin(&listing, call, kind);
	return listing_reply(&listing, "id name created");
}

#define X(name, kind, path)                             \
	static int name##_list(struct call *call)       \
	{                                               \
		return list(call, KIND_##kind);         \
	}                                               \
	static int name##_get(struct call *call)        \
	{                                               \
		return resource_get(call, KIND_##kind); \
	}
ABSENT(X)
#undef X

#define X(name, kind, path) {"GET", path, name##_list}, {"GET", path "/{id}", name##_get},
const struct route absent_routes[] = {ABSENT(X){NULL, NULL, NULL}};
#undef X
