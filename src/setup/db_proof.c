#include "setup/db_proof.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "conf/conninfo.h"

#define SOCKETS_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define STATE_LISTEN	  "0A"
#define PROOF_TIMEOUT_MS  15000
#define PROOF_LOGIN	  "rgrid_proof" /* no such role is ever made */

/* Hexadecimal digits to words in the byte order in which the kernel prints them: the host's. */
static bool parse_words(const char *text, size_t count, uint32_t *words)
{
	for (size_t i = 0; i < count; i++) {
		char digits[9];
		char *end = NULL;
		memcpy(digits, text + 8 * i, 8);
		digits[8] = '\0';
		words[i] = (uint32_t)strtoul(digits, &end, 16);
		if (end != digits + 8)
			return false;
	}
	return true;
}

static void note(struct listening *ret, const char *ip, int family, const uint32_t *words)
{
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(family, words, text, sizeof(text)) == NULL)
		return;
	if (str_eq(text, ip)) {
		ret->on_ip = true;
	} else if (str_has_prefix(text, "127.") || str_eq(text, "::1")) {
		ret->on_loopback = true;
	} else {
		ret->elsewhere = true;
		(void)snprintf(ret->other, sizeof(ret->other), "%s", text);
	}
}

/* "   0: 0100007F:1538 00000000:0000 0A …" */
static void read_line(char *line, int family, const char *ip, uint64_t port, struct listening *ret)
{
	size_t word_count = family == AF_INET ? 1 : 4;
	uint32_t words[4];
	char *rest = NULL;
	const char *slot = strtok_r(line, " ", &rest);
	const char *local = strtok_r(NULL, " ", &rest);
	const char *remote = strtok_r(NULL, " ", &rest);
	const char *state = strtok_r(NULL, " ", &rest);

	if (slot == NULL || local == NULL || remote == NULL || state == NULL ||
	    !str_eq(state, STATE_LISTEN) || strlen(local) != word_count * 8 + 5 ||
	    strtoul(local + word_count * 8 + 1, NULL, 16) != port)
		return;
	if (parse_words(local, word_count, words))
		note(ret, ip, family, words);
}

static int read_table(const char *path, int family, const char *ip, uint64_t port,
		      struct listening *ret, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, SOCKETS_BYTES_MAX);
	if (fs_read(AT_FDCWD, path, &text, err) < 0)
		return -1;
	char *rest = text.data;
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
		read_line(line, family, ip, port, ret);
	return 0;
}

int db_listening(const char *ip, uint64_t port, struct listening *ret, struct error *err)
{
	*ret = (struct listening){0};
	if (read_table("/proc/self/net/tcp", AF_INET, ip, port, ret, err) < 0)
		return -1;
	if (read_table("/proc/self/net/tcp6", AF_INET6, ip, port, ret, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND) /* a kernel without IPv6 */
		return -1;
	error_clear(err);
	return 0;
}

static void cleanup_connection(PGconn **connection)
{
	PQfinish(*connection);
}

static void proof_conninfo(struct buf *out, const char *ip, uint64_t port, const char *database)
{
	buf_init(out, CONNINFO_BYTES_MAX);
	conninfo_append(out, "host", ip);
	buf_appendf(out, " port='%u' gssencmode='disable' connect_timeout='15'", (unsigned)port);
	conninfo_append(out, "dbname", database);
	conninfo_append(out, "user", PROOF_LOGIN);
	conninfo_append(out, "password", "-");
	conninfo_append(out, "passfile", "/dev/null");
}

/* False when the deadline passed. */
static bool await(PGconn *connection, PostgresPollingStatusType polled, uint64_t deadline_ms)
{
	uint64_t now_ms = clock_boottime_ms();
	struct pollfd poll_fd = {.fd = PQsocket(connection),
				 .events = polled == PGRES_POLLING_READING ? POLLIN : POLLOUT};

	return now_ms < deadline_ms && poll(&poll_fd, 1, (int)(deadline_ms - now_ms)) >= 0;
}

int db_proof_tls(const char *ip, uint64_t port, const char *ca_path, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf conninfo;
	uint64_t deadline_ms = clock_boottime_ms() + PROOF_TIMEOUT_MS;

	proof_conninfo(&conninfo, ip, port, "postgres");
	conninfo_append(&conninfo, "sslmode", "verify-full");
	conninfo_append(&conninfo, "sslrootcert", ca_path);
	CLEANUP(cleanup_connection) PGconn *connection = PQconnectStart(conninfo.data);
	PostgresPollingStatusType polled = PGRES_POLLING_WRITING;
	while (connection != NULL && PQstatus(connection) != CONNECTION_BAD &&
	       await(connection, polled, deadline_ms)) {
		polled = PQconnectPoll(connection);
		ConnStatusType status = PQstatus(connection);
		/* Past the handshake, libpq has checked chain and name; what the server says to
		 * the login does not matter. */
		if (PQsslInUse(connection) != 0 &&
		    (status == CONNECTION_AWAITING_RESPONSE || status == CONNECTION_AUTH_OK ||
		     status == CONNECTION_OK))
			return 0;
		if (polled == PGRES_POLLING_FAILED)
			break;
	}
	return error_set(err, ERR_CONFLICT, "no TLS as workers want it at %s port %u: %s", ip,
			 (unsigned)port,
			 connection == NULL ? "out of memory" : PQerrorMessage(connection));
}

int db_proof_plain_refused(const char *ip, uint64_t port, const char *database, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf conninfo;

	proof_conninfo(&conninfo, ip, port, database);
	conninfo_append(&conninfo, "sslmode", "disable");
	CLEANUP(cleanup_connection) PGconn *connection = PQconnectdb(conninfo.data);
	/* Refused before a password is asked for: no line of pg_hba.conf lets it in. */
	if (PQstatus(connection) == CONNECTION_BAD && PQconnectionNeedsPassword(connection) == 0 &&
	    PQconnectionUsedPassword(connection) == 0)
		return 0;
	return error_set(err, ERR_CONFLICT, "%s port %u lets logins in without TLS", ip,
			 (unsigned)port);
}

bool db_has_address(const char *ip)
{
	struct ifaddrs *all = NULL;
	struct in_addr wanted;
	bool found = false;

	if (inet_pton(AF_INET, ip, &wanted) != 1 || getifaddrs(&all) != 0)
		return false;
	for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
		struct sockaddr_in address;
		if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&address, at->ifa_addr, sizeof(address));
		found = found || address.sin_addr.s_addr == wanted.s_addr;
	}
	freeifaddrs(all);
	return found;
}

bool db_public_address(char out[IPV4_BYTES])
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (const struct ifaddrs *at = all; at != NULL && !found; at = at->ifa_next) {
		struct sockaddr_in address;
		if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&address, at->ifa_addr, sizeof(address));
		found = ipv4_is_public(ntohl(address.sin_addr.s_addr));
		if (found)
			(void)ipv4_format(ntohl(address.sin_addr.s_addr), out);
	}
	freeifaddrs(all);
	return found;
}
