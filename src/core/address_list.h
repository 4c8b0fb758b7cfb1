/* The public addresses of a grid's workers, as the orchestrator tells them to who opens the
 * database to them: a text with one address a line, "198.51.100.7/32", ascending, each once. An
 * empty text means nobody.
 *
 * The orchestrator is not trusted with the firewall: a text with anything else in it is refused as
 * a whole, a range or an address that is not one machine's on the internet first of all. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Where the file is unless somebody says otherwise. */
#define PUBLIC_WORKERS_PATH "/var/lib/rgrid/public-workers"

#define ADDRESS_LIST_MAX       1024
#define ADDRESS_LINE_BYTES     20 /* "255.255.255.255/32" with newline and NUL */
#define ADDRESS_LIST_BYTES_MAX ((size_t)ADDRESS_LIST_MAX * (ADDRESS_LINE_BYTES - 1))

struct address_list {
	uint32_t items[ADDRESS_LIST_MAX]; /* ascending, each once */
	size_t count;
};

/* Whether the list has the address now: it is public, and there was room. */
bool address_list_add(struct address_list *list, uint32_t address);
bool address_list_equals(const struct address_list *a, const struct address_list *b);

/* Lines in any order; each ends with a newline. ERR_INVALID names the line, and quotes nothing of
 * it: what the file was may be nobody's to see. ERR_TOO_LARGE. */
MUST_CHECK int address_list_parse(const char *text, size_t bytes, struct address_list *ret,
				  struct error *err);
/* Appends; `out` has room for ADDRESS_LIST_BYTES_MAX. */
void address_list_write(const struct address_list *list, struct buf *out);
