/* The answer to GET /x: the documents of a kind, filtered, sorted, in pages.
 *
 *	struct listing listing;
 *	listing_begin(&listing, call, KIND_SERVER);
 *	listing_filter(&listing, "status", "status");
 *	return listing_reply(&listing, "id name created");
 */
#pragma once

#include "hcloud/call.h"

struct listing {
	struct call *call;
	enum kind kind;
	const json_t **docs; /* borrowed documents, owned array */
	size_t count;
};

/* With all documents of the kind: the project's, or the catalog's. */
void listing_begin(struct listing *listing, struct call *call, enum kind kind);
void listing_add_table(struct listing *listing, const struct table *table);
/* Keeps the documents for which `keep` says so. */
void listing_keep(struct listing *listing, bool (*keep)(const json_t *doc, const void *context),
		  const void *context);
/* Keeps those whose member equals one of the values of the query's parameter, if it is there. */
void listing_filter(struct listing *listing, const char *parameter, const char *member);
/* Applies name=, label_selector=, sort= (by one of the words of sort_fields), page=, per_page=, and
 * answers. Ends the listing. */
int listing_reply(struct listing *listing, const char *sort_fields);
/* Ends a listing that is not answered with. */
void listing_release(struct listing *listing);
