#include "orchestrator/worker_image.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/label.h"
#include "orchestrator/bake_server.h"

#define SELECTOR_BYTES 256
#define ORDERS_MAX     30 /* the server may be locked for a moment, or answers be lost */
#define LOOKS_MAX      5  /* for one whose answer was lost; listings may be late */
#define PAUSE_MS       1000
#define AVAILABLE_MS   (15ULL * 60 * 1000) /* of a large disk */

static bool has_label(const struct hetzner_image *image, const char *key, const char *wanted)
{
	const char *value = hetzner_label_get(&image->labels, key);

	return value != NULL && str_eq(value, wanted);
}

static int newest_first(const void *a, const void *b)
{
	const struct hetzner_image *one = a;
	const struct hetzner_image *other = b;

	if (one->created_us != other->created_us)
		return one->created_us < other->created_us ? 1 : -1;
	return one->id < other->id ? 1 : one->id > other->id ? -1 : 0;
}

int worker_images_list(struct hetzner *hetzner, const char *grid_id, struct hetzner_image_list *ret,
		       struct error *err)
{
	char selector[SELECTOR_BYTES];
	size_t count = 0;

	(void)snprintf(selector, sizeof(selector), "%s=%s,%s=%s,%s=%s", LABEL_MANAGED_BY,
		       LABEL_RGRID, LABEL_GRID, grid_id, LABEL_ROLE, LABEL_ROLE_IMAGE);
	if (hetzner_images_list(hetzner, "snapshot", NULL, selector, ret, err) < 0)
		return error_wrap(err, "cannot list the images");
	/* The selector's word is not enough for what gets deleted. */
	for (size_t i = 0; i < ret->count; i++) {
		const struct hetzner_image *image = &ret->items[i];

		if (str_eq(image->type, "snapshot") &&
		    has_label(image, LABEL_MANAGED_BY, LABEL_RGRID) &&
		    has_label(image, LABEL_GRID, grid_id) &&
		    has_label(image, LABEL_ROLE, LABEL_ROLE_IMAGE))
			ret->items[count++] = *image;
	}
	ret->count = count;
	if (count > 1)
		qsort(ret->items, count, sizeof(*ret->items), newest_first);
	return 0;
}

static void make_labels(const struct worker_image_kind *kind, struct hetzner_labels *ret)
{
	*ret = (struct hetzner_labels){0};
	hetzner_label_set(ret, LABEL_MANAGED_BY, LABEL_RGRID);
	hetzner_label_set(ret, LABEL_GRID, kind->grid_id);
	hetzner_label_set(ret, LABEL_ROLE, LABEL_ROLE_IMAGE);
	hetzner_label_set(ret, LABEL_BUNDLE, kind->bundle_sha256);
	hetzner_label_set(ret, LABEL_BASE, kind->base);
}

const struct hetzner_image *worker_image_find(const struct hetzner_image_list *images,
					      const struct worker_image_kind *kind)
{
	struct hetzner_labels labels; /* as they were written: values are cut */

	make_labels(kind, &labels);
	for (size_t i = 0; i < images->count; i++) {
		const struct hetzner_image *image = &images->items[i];
		bool same = str_eq(image->status, "available") &&
			    str_eq(image->architecture, kind->architecture);

		for (size_t k = 0; k < labels.count; k++)
			same = same && has_label(image, labels.items[k].key, labels.items[k].value);
		if (same)
			return image;
	}
	return NULL;
}

/* 1 with its state, 0 there is none, -1 not to be found out. */
static int find_of_run(struct hetzner *hetzner, const struct worker_image_kind *kind,
		       const char *run, struct hetzner_image *ret, struct error *err)
{
	CLEANUP(cleanup_hetzner_image_list) struct hetzner_image_list images = {0};

	if (worker_images_list(hetzner, kind->grid_id, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++) {
		if (has_label(&images.items[i], LABEL_BAKE, run)) {
			*ret = images.items[i];
			return 1;
		}
	}
	return 0;
}

/* Whether it is there after all; the answer to the order was lost. */
static bool was_ordered(struct hetzner *hetzner, const struct worker_image_kind *kind,
			const char *run)
{
	struct hetzner_image image;
	struct error ignored = {0};

	for (int look = 0; look < LOOKS_MAX; look++) {
		if (find_of_run(hetzner, kind, run, &image, &ignored) == 1)
			return true;
		if (!bake_pause(PAUSE_MS))
			return false;
	}
	return false;
}

static int order(struct hetzner *hetzner, int64_t server_id, const struct worker_image_kind *kind,
		 const char *run, struct error *err)
{
	CLEANUP(cleanup_free)
	char *description =
		xasprintf("RGrid worker: %s, bundle %.12s", kind->base, kind->bundle_sha256);
	struct hetzner_labels labels;

	make_labels(kind, &labels);
	hetzner_label_set(&labels, LABEL_BAKE, run);
	for (int tries = 0; tries < ORDERS_MAX; tries++) {
		struct hetzner_actions actions = {0};
		int64_t id = 0;

		if (hetzner_server_create_image(hetzner, server_id, description, &labels, &id,
						&actions, err) == 0)
			return hetzner_actions_wait(hetzner, &actions, err);
		struct hetzner_failure failure = *hetzner_last_failure(hetzner);

		if (failure.outcome_unknown && was_ordered(hetzner, kind, run))
			return 0;
		if (!failure.outcome_unknown && failure.code != HETZNER_LOCKED &&
		    failure.code != HETZNER_CONFLICT)
			return -1;
		if (!bake_pause(PAUSE_MS))
			return error_set(err, ERR_TIMEOUT, "stopped by a signal");
	}
	return -1;
}

static int wait_available(struct hetzner *hetzner, const struct worker_image_kind *kind,
			  const char *run, int64_t *ret_id, struct error *err)
{
	uint64_t deadline_ms = clock_boottime_ms() + AVAILABLE_MS;
	struct hetzner_image image = {0};

	for (int looks = 0;; looks++) {
		int found = find_of_run(hetzner, kind, run, &image, err);

		if (found == 1 && str_eq(image.status, "available")) {
			*ret_id = image.id;
			return 0;
		}
		if (found == 1 && str_eq(image.status, "unavailable"))
			return error_set(err, ERR_CONFLICT, "Hetzner Cloud could not finish it");
		if (found == 0 && looks >= LOOKS_MAX)
			return error_set(err, ERR_NOT_FOUND, "it is not there any more");
		if (clock_boottime_ms() >= deadline_ms)
			return error_set(err, ERR_TIMEOUT, "it was not ready in time");
		if (!bake_pause(PAUSE_MS))
			return error_set(err, ERR_TIMEOUT, "stopped by a signal");
	}
}

/* An image that nobody starts from costs money by the month. */
static void discard(struct hetzner *hetzner, const struct worker_image_kind *kind, const char *run)
{
	struct hetzner_image image;
	struct error ignored = {0};

	hetzner_interrupt_on(hetzner, NULL, NULL);
	if (find_of_run(hetzner, kind, run, &image, &ignored) == 1)
		(void)!hetzner_image_delete(hetzner, image.id, &ignored);
}

int worker_image_make(struct hetzner *hetzner, int64_t server_id,
		      const struct worker_image_kind *kind, const char *run, int64_t *ret_id,
		      struct error *err)
{
	if (order(hetzner, server_id, kind, run, err) == 0 &&
	    wait_available(hetzner, kind, run, ret_id, err) == 0)
		return 0;
	discard(hetzner, kind, run);
	return error_wrap(err, "the image was not made");
}
