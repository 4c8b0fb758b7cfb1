/* Images that workers' servers start from: snapshots of builders (bake_server.h), which have the
 * worker bundle where a worker's boot looks for it. Their labels say of which grid they are, with
 * which bundle, and from which image the builder started; an image without them is never touched.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "cloud/hetzner.h"
#include "orchestrator/provider.h"

/* What tells one image from another. */
struct worker_image_kind {
	const char *grid_id;
	const char *bundle_sha256;
	const char *base; /* name or number */
	const char *architecture;
};

/* Those of the grid, of every bundle and in every state, newest first. */
MUST_CHECK int worker_images_list(struct hetzner *hetzner, const char *grid_id,
				  struct hetzner_image_list *ret, struct error *err);
/* The newest that servers can start from; borrowed, NULL when there is none. */
const struct hetzner_image *worker_image_find(const struct hetzner_image_list *images,
					      const struct worker_image_kind *kind);
/* Of a builder that is off. run: as of the builder; by it an image is found whose answer was lost.
 * Until servers can start from it; one that failed is deleted. */
MUST_CHECK int worker_image_make(struct hetzner *hetzner, int64_t server_id,
				 const struct worker_image_kind *kind, const char *run,
				 int64_t *ret_id, struct error *err);
