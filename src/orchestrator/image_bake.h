/* `rgrid image bake`: makes an image from which workers' servers start without fetching their
 * bundle: a builder (bake_server.h) fetches it, and becomes a snapshot (worker_image.h).
 *
 * Nothing is left of it but the image: the builder and its pass to the bundle go in the end,
 * whatever the end is, a signal included. What a killed bake has left is removed by the next one,
 * and by the fleet (rule 128). One bake of a grid is at work at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conf/conf.h"

#define IMAGE_BAKE_TIMEOUT_MS (15ULL * 60 * 1000)
/* A builder and its image in less than fleet_policy's bake_ms. */
#define IMAGE_BAKE_TIMEOUT_MS_MAX (30ULL * 60 * 1000)

struct image_bake_options {
	const struct conf *conf;
	const char *base;    /* NULL: server-image if that is a name, else its default */
	uint64_t timeout_ms; /* until the builder has all it needs */
	uint64_t keep;	     /* older images of the grid beyond so many are deleted; 0: all stay */
	bool force;	     /* though there is an image with this bundle and base */
	bool dry_run;
	bool json;
};

/* ERR_CONFLICT: another bake is at work. */
MUST_CHECK int image_bake(const struct image_bake_options *options, struct error *err);
