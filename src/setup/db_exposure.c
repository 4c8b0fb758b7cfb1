#include "setup/db_exposure.h"

#include "base/hash.h"
#include "base/str.h"
#include "core/ipv4.h"

#define DATABASE_NAME_BYTES 63

static int check_source(const struct db_exposure *exposure, const char *text, struct error *err)
{
	struct ipv4_range range = {0};

	if (ipv4_range_parse(text, &range, err) < 0)
		return -1;
	if (exposure->is_public) {
		if (range.prefix == 32 && ipv4_is_public(range.first))
			return 0;
		(void)error_set(err, ERR_INVALID, "%s is %s", text,
				range.prefix < 32 ? "more than one address"
						  : "not a public address");
		return error_hint(err, "give each worker's address with /32");
	}
	if (ipv4_range_is_private(range))
		return 0;
	(void)error_set(err, ERR_INVALID, "%s is not a private range", text);
	return error_hint(err, "for workers without a private network: --public-worker");
}

int db_exposure_check(const struct db_exposure *exposure, struct error *err)
{
	static const char name_chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	uint32_t ip = 0;
	struct ipv4_range range = {0};
	size_t bytes = strlen(exposure->database);

	if (bytes == 0 || bytes > DATABASE_NAME_BYTES ||
	    exposure->database[strspn(exposure->database, name_chars)] != '\0' ||
	    str_eq(exposure->database, "all") || str_eq(exposure->database, "replication") ||
	    str_eq(exposure->database, "sameuser") || str_eq(exposure->database, "samerole"))
		return error_set(err, ERR_INVALID, "\"%s\" cannot be the database's name",
				 exposure->database);
	if (ipv4_parse(exposure->ip, &ip, err) < 0)
		return -1;
	if (ip == 0 || ip >> 24 == 127 || ip >= 0xe0000000)
		return error_set(err, ERR_INVALID, "%s is no address of one machine on a network",
				 exposure->ip);
	if (exposure->is_public && !ipv4_is_public(ip))
		return error_set(err, ERR_INVALID, "%s is not a public address", exposure->ip);
	if (exposure->source_count > DB_EXPOSURE_SOURCES_MAX)
		return error_set(err, ERR_TOO_LARGE, "%zu workers, %d at most",
				 exposure->source_count, DB_EXPOSURE_SOURCES_MAX);
	for (size_t i = 0; i < exposure->source_count; i++) {
		if (check_source(exposure, exposure->sources[i], err) < 0)
			return -1;
	}
	if (exposure->is_public || ipv4_range_parse(exposure->sources[0], &range, err) < 0)
		return exposure->is_public ? 0 : -1;
	if (ipv4_range_has(range, ip))
		return 0;
	(void)error_set(err, ERR_INVALID, "%s is not in %s, the workers' range", exposure->ip,
			exposure->sources[0]);
	return error_hint(err, "the network's subnet, if it is another one: --subnet");
}

void db_exposure_conf(const struct db_exposure *exposure, struct buf *out)
{
	buf_appendf(out,
		    "# Written by rgrid db expose; rgrid db expose --undo removes it.\n"
		    "listen_addresses = 'localhost,%s'\n"
		    "ssl = on\n"
		    "ssl_cert_file = '%s'\n"
		    "ssl_key_file = '%s'\n"
		    "ssl_min_protocol_version = 'TLSv1.2'\n"
		    "password_encryption = 'scram-sha-256'\n",
		    exposure->ip, exposure->pem, exposure->pem);
}

/* All of IPv4 but 127.0.0.0/8, whose clients the rules below the block decide on. pg_hba.conf knows
 * no "all but". */
static const char *const not_loopback[] = {"0.0.0.0/2",	  "64.0.0.0/3",	 "96.0.0.0/4",
					   "112.0.0.0/5", "120.0.0.0/6", "124.0.0.0/7",
					   "126.0.0.0/8", "128.0.0.0/1"};

void db_exposure_hba(const struct db_exposure *exposure, struct buf *out)
{
	buf_append_str(out, DB_HBA_BEGIN "\n");
	for (size_t i = 0; i < exposure->source_count; i++)
		buf_appendf(out, "hostssl \"%s\" +rgrid_worker %s scram-sha-256\n",
			    exposure->database, exposure->sources[i]);
	for (size_t i = 0; i < ARRAY_SIZE(not_loopback); i++)
		buf_appendf(out, "host all,replication all %s reject\n", not_loopback[i]);
	buf_append_str(out, DB_HBA_END "\n");
}

static void append_rules(const struct db_exposure *exposure, const char *mark, struct buf *out)
{
	CLEANUP(cleanup_free)
	char *ports = xasprintf("tcp dport { %u, %u }", (unsigned)exposure->port,
				(unsigned)exposure->api_port);

	/* The address must be one of the interface that the packet came in by: Linux answers for
	 * all its addresses on every interface, so that a host route to the private address through
	 * the public side would do. No interface is named: names and numbers change. */
	buf_appendf(out, "\t\t%s iif \"lo\" accept\n", ports);
	if (exposure->source_count > 0) {
		buf_appendf(out, "\t\t%s ip daddr %s ip saddr {", ports, exposure->ip);
		for (size_t i = 0; i < exposure->source_count; i++)
			buf_appendf(out, "%s %s", i > 0 ? "," : "", exposure->sources[i]);
		buf_append_str(out, " } fib daddr . iif type local accept\n");
	} else {
		buf_appendf(out, "\t\t%s ip daddr %s drop\n", ports, exposure->ip);
	}
	buf_appendf(out, "\t\t%s drop", ports);
	if (mark != NULL)
		buf_appendf(out, " comment \"rgrid %s\"", mark);
	buf_append_str(out, "\n");
}

void db_exposure_firewall(const struct db_exposure *exposure, struct buf *out,
			  char ret_mark[DB_FIREWALL_MARK_BYTES])
{
	CLEANUP(cleanup_buf) struct buf rules;
	uint8_t digest[SHA256_BYTES];
	char hex[SHA256_HEX_BYTES];

	buf_init(&rules, DB_TEXT_BYTES_MAX);
	append_rules(exposure, NULL, &rules);
	sha256_of(rules.data, rules.bytes, digest);
	sha256_to_hex(digest, hex);
	(void)snprintf(ret_mark, DB_FIREWALL_MARK_BYTES, "%.16s", hex);
	/* One transaction: the table is made so that it can be deleted, and made anew. */
	buf_append_str(out, "# Written by rgrid db expose; rgrid db expose --undo removes it.\n"
			    "table inet " DB_FIREWALL_TABLE "\n"
			    "delete table inet " DB_FIREWALL_TABLE "\n"
			    "table inet " DB_FIREWALL_TABLE " {\n"
			    "\tchain input {\n"
			    "\t\ttype filter hook input priority filter - 10; policy accept;\n");
	append_rules(exposure, ret_mark, out);
	buf_append_str(out, "\t}\n}\n");
}

void db_firewall_unit(const char *rules_path, struct buf *out)
{
	/* nftables.service flushes all tables when it starts or reloads: ours follows it, always.
	 */
	buf_appendf(out,
		    "# Written by rgrid db expose; rgrid db expose --undo removes it.\n"
		    "[Unit]\n"
		    "Description=RGrid: who reaches PostgreSQL and the workers' API\n"
		    "DefaultDependencies=no\n"
		    "After=local-fs.target nftables.service\n"
		    "PartOf=nftables.service\n"
		    "ReloadPropagatedFrom=nftables.service\n"
		    "Before=network-pre.target postgresql.service shutdown.target\n"
		    "Wants=network-pre.target\n"
		    "Conflicts=shutdown.target\n"
		    "\n"
		    "[Service]\n"
		    "Type=oneshot\n"
		    "RemainAfterExit=yes\n"
		    "ExecStart=/usr/sbin/nft -f %s\n"
		    "ExecReload=/usr/sbin/nft -f %s\n"
		    "\n"
		    "[Install]\n"
		    "WantedBy=multi-user.target nftables.service\n",
		    rules_path, rules_path);
}

size_t db_hba_sources(char *text, const char **ret, size_t max)
{
	static const char before[] = " +rgrid_worker ";
	bool inside = false;
	size_t count = 0;

	for (char *line = strsep(&text, "\n"); line != NULL; line = strsep(&text, "\n")) {
		inside = str_eq(line, DB_HBA_BEGIN) || (inside && !str_eq(line, DB_HBA_END));
		char *source = inside ? strstr(line, before) : NULL;
		if (source == NULL)
			continue;
		source += strlen(before);
		source[strcspn(source, " ")] = '\0';
		if (count < max)
			ret[count] = source;
		count++;
	}
	return count;
}

static size_t line_bytes(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));
	return newline == NULL ? (size_t)(end - at) : (size_t)(newline - at) + 1;
}

static bool is_line(const char *at, size_t bytes, const char *line)
{
	size_t wanted = strlen(line);

	if (bytes > 0 && at[bytes - 1] == '\n')
		bytes--;
	if (bytes > 0 && at[bytes - 1] == '\r') /* some editors make all line ends alike */
		bytes--;
	return bytes == wanted && memcmp(at, line, wanted) == 0;
}

int db_hba_set(const char *text, size_t bytes, const char *block, struct buf *out,
	       struct error *err)
{
	const char *end = text + bytes;
	bool inside = false;
	unsigned line = 1;

	buf_append_str(out, block);
	for (const char *at = text; at < end; line++) {
		size_t length = line_bytes(at, end);
		bool begins = is_line(at, length, DB_HBA_BEGIN);
		bool ends = is_line(at, length, DB_HBA_END);
		if ((begins && inside) || (ends && !inside)) {
			(void)error_set(err, ERR_CONFLICT,
					"pg_hba.conf has a mark of RGrid at line %u without its "
					"counterpart",
					line);
			return error_hint(err, "remove the marks and what is between them by hand");
		}
		if (!inside && !begins)
			buf_append(out, at, length);
		inside = begins || (inside && !ends);
		at += length;
	}
	if (inside) {
		(void)error_set(err, ERR_CONFLICT, "the block of RGrid in pg_hba.conf has no end");
		return error_hint(err, "remove \"" DB_HBA_BEGIN "\" and what is RGrid's below it");
	}
	if (out->overflowed)
		return error_set(err, ERR_TOO_LARGE, "pg_hba.conf is too large");
	return 0;
}
