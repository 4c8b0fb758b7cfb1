/* What `rgrid db expose` opens, and the texts that it becomes: PostgreSQL's drop-in, the marked
 * block in pg_hba.conf, the firewall's table and the unit that loads it. Pure: no I/O.
 *
 * Two ports on one address, PostgreSQL's and the workers' API's, are opened to some ranges: the
 * private subnet, or, without a private network, one /32 for each worker. Nothing else but loopback
 * is let in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "core/address_list.h"

#define DB_EXPOSURE_SOURCES_MAX ADDRESS_LIST_MAX
#define DB_TEXT_BYTES_MAX	((size_t)1024 * 1024)

#define DB_HBA_BEGIN "# BEGIN RGRID DATABASE (rgrid db expose writes what is between the marks)"
#define DB_HBA_END   "# END RGRID DATABASE"

#define DB_FIREWALL_TABLE "rgrid_db"

struct db_exposure {
	const char *database;
	const char *ip;		    /* the address that PostgreSQL listens on beside localhost */
	const char *const *sources; /* ranges that may connect */
	size_t source_count;	    /* 0: nobody, of a public address alone */
	bool is_public;		    /* the address is the public one: each source is a public /32 */
	const char *pem;	    /* certificate and key of the server */
	uint64_t port;
	uint64_t api_port; /* of the workers' API, on the same address */
};

/* The address is one that can be listened on, the ranges are ranges, the address is in the private
 * range, or all are /32 of public workers; the database's name needs no escapes. */
MUST_CHECK int db_exposure_check(const struct db_exposure *exposure, struct error *err);

/* Each appends. */
void db_exposure_conf(const struct db_exposure *exposure, struct buf *out);
void db_exposure_hba(const struct db_exposure *exposure, struct buf *out); /* with the marks */
/* The first hexadecimal digits of the table's hash stand in it as DB_FIREWALL_TABLE's comment, so
 * that what the kernel has can be compared with what it should have. */
#define DB_FIREWALL_MARK_BYTES 32
void db_exposure_firewall(const struct db_exposure *exposure, struct buf *out,
			  char ret_mark[DB_FIREWALL_MARK_BYTES]);
#define DB_FIREWALL_RULES 3
/* A systemd unit that loads `rules_path` before PostgreSQL starts. */
void db_firewall_unit(const char *rules_path, struct buf *out);

/* The ranges that the text's marked block lets workers in from, as they stand there: how many there
 * are in all, of which the first max are found in ret. Cuts the text up, into which they point. */
size_t db_hba_sources(char *text, const char **ret, size_t max);

/* The text of pg_hba.conf with the block at its top, where it decides first. The very same text if
 * it is there already; what is outside of the marks stays as it is. ERR_CONFLICT when a mark has no
 * counterpart: what is ours is not known then. block "" takes the block out. */
MUST_CHECK int db_hba_set(const char *text, size_t bytes, const char *block, struct buf *out,
			  struct error *err);
