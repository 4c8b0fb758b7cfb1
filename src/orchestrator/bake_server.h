/* The builder: a server of which an image for workers' servers is made. It is ordered as a worker's
 * is, on the smallest disk, for an image starts on no smaller one; its labels have the role "bake"
 * and the run that it is of, which its name has too, so that an order whose answer was lost is
 * found and not given twice.
 *
 * Only one bake of a grid is at work at a time: whoever is it may take any builder for left over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cloud/hetzner.h"
#include "conf/conf.h"
#include "orchestrator/provider.h"

/* Where a builder may be made, the first to be tried first. */
struct bake_places {
	struct server_choice items[FLEET_CHOICES_MAX];
	size_t count;
	char architecture[16]; /* of them all: that of the first choice that is sold */
	bool others;	       /* some choices are of another, and cannot start from the image */
};
/* ERR_NOT_FOUND: none of the choices is sold. */
MUST_CHECK int bake_places_find(const struct provider_parts *parts, struct bake_places *ret,
				struct error *err);

struct bake_server {
	const struct provider_parts *parts;
	const struct conf *conf;
	const char *run;   /* lower-case letters and digits, of this bake alone */
	const char *image; /* what it starts from */
	const char *user_data;
	/* What became of the order: filled in also where it ends with an error. */
	int64_t id; /* 0: none is known */
	struct server_choice place;
	bool has_run; /* so that "off" is the end, and not the beginning */
};

/* Until its creation is seen to have ended, or its answer was lost and it was found. */
MUST_CHECK int bake_server_order(struct bake_server *server, const struct bake_places *places,
				 struct error *err);
/* ERR_TIMEOUT: it has not powered itself off, and the image would be of half a machine. */
MUST_CHECK int bake_server_wait_off(struct bake_server *server, uint64_t timeout_ms,
				    struct error *err);

/* All builders of the grid. */
MUST_CHECK int bake_servers_list(const struct provider_parts *parts,
				 struct hetzner_server_list *ret, struct error *err);
/* Until it is gone; one that is held up by an action is waited for. Absent is fine. */
MUST_CHECK int bake_server_remove(struct hetzner *hetzner, int64_t id, struct error *err);

/* Whether the time went by without SIGTERM or SIGINT. */
bool bake_pause(uint64_t ms);
