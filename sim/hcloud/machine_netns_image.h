/* Images: disks of machines that were kept, and what a disk lies on.
 *
 * A machine's disk holds what it has written; beneath it, read-only, lie the disks of the image
 * that it was made from and of those beneath that, and at the bottom the root tree. A file
 * "layers" in the directory of each machine and each image lists them, so that nothing is copied
 * when a machine is made from an image, and an image stays as long as something lies on it.
 *
 *	images/ID/disk/		as a machine's, complete from the moment the directory has its name
 *	images/ID/layers	what is beneath */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "hcloud/machine.h"

/* Images on top of each other: their paths are one option of mount(2), which takes a page. */
#define LAYERS_MAX	      6
#define LAYERS_ROOT_BYTES_MAX 512

struct layers {
	char root_tree[LAYERS_ROOT_BYTES_MAX];
	int64_t image_ids[LAYERS_MAX]; /* the lowest first */
	size_t count;
};

struct images;

/* `directory` is the backend's, `root_tree` that of machines without an image. */
struct images *images_new(sd_event *event, const char *directory, const char *root_tree);
/* Ends copies that have not ended, and keeps all others. NULL is fine. */
void images_free(struct images *images);

/* Makes `directory`, which a machine has or will have, lie on the image (0: on the root tree
 * alone), unless it lies on something already. ERR_NOT_FOUND when there is no such image. */
MUST_CHECK int images_lay(const struct images *images, int64_t image_id, const char *directory,
			  struct error *err);
/* The overlay of the directory's layers and, on top, its own disk, as systemd-nspawn names one:
 * "ROOT:…:DISK". To be freed. */
MUST_CHECK int images_overlay(const struct images *images, const char *directory, char **ret,
			      struct error *err);

/* Begins to keep the disk of that machine, or of one that would be made from `base_image_id`, as
 * image `image_id`. A machine that runs meanwhile is copied as its disk is from one moment to the
 * next, as at the provider. */
MUST_CHECK int images_copy(struct images *images, int64_t image_id, const char *machine_directory,
			   int64_t base_image_id, struct error *err);
enum machine_image_state images_state(const struct images *images, int64_t image_id);
/* Removes every image but these, those beneath them, and those beneath machines. */
MUST_CHECK int images_keep(struct images *images, const int64_t *image_ids, uint64_t count,
			   struct error *err);
