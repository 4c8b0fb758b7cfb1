/* Listings: all pages of one, or an error; never a short list. */
#pragma once

#include "cloud/hetzner_call.h"

#define HETZNER_PER_PAGE  50
#define HETZNER_PAGES_MAX 400 /* 20,000 items: more is a loop */

/* Calls `item` for each object of the member `plural` of every page of `path`. What an item is
 * refused with fails the whole. A page that was not the one asked for, a list that does not end,
 * that shrank or that repeats an id while it was read are errors: something may be missing. */
MUST_CHECK int hetzner_pages_read(struct hetzner *hetzner, const struct hetzner_call *first,
				  const char *plural,
				  int (*item)(void *context, const json_t *json, struct error *err),
				  void *context, struct error *err);

/* A list that grows: for `item` callbacks. Returns the place of a new zeroed element. */
void *hetzner_list_grow(void **items, size_t *count, size_t element_bytes);
