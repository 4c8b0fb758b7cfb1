/* Listings: all pages of one, or an error; never a short list. */
#pragma once

#include "cloud/hetzner_call.h"

#define HETZNER_PER_PAGE     50
#define HETZNER_PAGES_MAX    400 /* 20,000 items: more is a loop */
#define HETZNER_READINGS_MAX 5	 /* of one list that changes while it is read */

/* Calls `item` for each object of the member `plural` of every page of `path`. What an item is
 * refused with fails the whole. Items come in the order of their ids, each once. All that was there
 * from the beginning to the end of the call is among them: a list that changed so that something
 * may be missing is read again, HETZNER_READINGS_MAX times in all, and is an error then. So is a
 * page that was not the one asked for, and a list that does not end. A list of n pages costs n + 1
 * requests, of one page one. */
MUST_CHECK int hetzner_pages_read(struct hetzner *hetzner, const struct hetzner_call *first,
				  const char *plural,
				  int (*item)(void *context, const json_t *json, struct error *err),
				  void *context, struct error *err);

/* A list that grows: for `item` callbacks. Returns the place of a new zeroed element. */
void *hetzner_list_grow(void **items, size_t *count, size_t element_bytes);
