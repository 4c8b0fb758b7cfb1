#include "sandbox/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "base/str.h"
#include "sandbox/host_program.h"
#include "sandbox/network_rules.h"

#define OUTPUT_BYTES_MAX (1U << 20)
#define RESOLV_CONF_BYTES_MAX 65536
#define NAME_SERVERS_MAX 3
#define FORWARDING "/proc/sys/net/ipv4/ip_forward"
/* Each slot takes two addresses of 172.31.0.0/16, which jobs cannot reach anyway. */
#define ADDRESS_FIRST 0xac1f0000U
#define ADDRESS_PAIRS 32768U

struct network_slot {
	int fd; /* -1: not made */
	char path[64];
	char interface[IFNAMSIZ]; /* the worker's end */
};

struct network {
	char identity[NETWORK_IDENTITY_CHARS + 1];
	char *ip;
	char *nft;
	char *missing;
	char *resolv_conf;
	char *table; /* NULL: not loaded */
	size_t slot_count;
	struct network_slot *slots;
};

/* Runs a program on `input`; its output goes to `output` (may be NULL). */
static int run(const char *const *argv, const char *input, struct buf *output, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = memfd_create("rgrid-input", MFD_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a memory file");
	if (fs_write_all(fd, input, strlen(input), err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot rewind a memory file");
	CLEANUP(cleanup_buf) struct buf own_output;
	buf_init(&own_output, OUTPUT_BYTES_MAX);
	if (output == NULL)
		output = &own_output;
	struct spawn_options options = {.argv = argv, .stdin_fd = fd};
	int status;
	if (spawn_wait(&options, output, &status, err) < 0)
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, ERR_UNPROCESSABLE, "%s failed: %s", argv[0], output->data);
	return 0;
}

static int run_ip(const struct network *network, const char *batch, struct error *err)
{
	const char *argv[] = {network->ip, "-batch", "-", NULL};
	return run(argv, batch, NULL, err);
}

static int run_nft(const struct network *network, const char *script, struct error *err)
{
	const char *argv[] = {network->nft, "-f", "-", NULL};
	return run(argv, script, NULL, err);
}

static int list_tables(const struct network *network, struct buf *ret, struct error *err)
{
	const char *argv[] = {network->nft, "list", "tables", NULL};
	return run(argv, "", ret, err);
}

static int write_switch(const char *path, const char *value)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, value, strlen(value)) > 0 ? 0 : -1;
}

static bool is_forwarding(void)
{
	CLEANUP(cleanup_fd) int fd = open(FORWARDING, O_RDONLY | O_CLOEXEC);
	char value = '0';
	return fd >= 0 && read(fd, &value, 1) == 1 && value != '0';
}

/* Deletes our table of whichever name, and if no worker's table of the routing kind is left,
 * switches forwarding off again. Absent is fine. */
static int delete_table(const struct network *network, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf tables;
	buf_init(&tables, OUTPUT_BYTES_MAX);
	if (list_tables(network, &tables, err) < 0)
		return -1;
	bool was_router = false;
	for (unsigned router = 0; router < 2; router++) {
		CLEANUP(cleanup_free)
		char *name = network_table_name(network->identity, router == 1);
		if (!network_table_is_listed(tables.data, name))
			continue;
		CLEANUP(cleanup_free) char *script = xasprintf("delete table inet %s\n", name);
		if (run_nft(network, script, err) < 0)
			return -1;
		was_router = was_router || router == 1;
	}
	if (!was_router)
		return 0;
	buf_clear(&tables);
	if (list_tables(network, &tables, err) < 0)
		return -1;
	if (strstr(tables.data, NETWORK_ROUTER_PREFIX) == NULL &&
	    write_switch(FORWARDING, "0") < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot write %s", FORWARDING);
	return 0;
}

static void set_missing(struct network *network, const char *why)
{
	if (network->missing == NULL)
		network->missing = xstrdup(why);
}

static int write_resolv_conf(struct network *network, const char *directory, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf host;
	buf_init(&host, RESOLV_CONF_BYTES_MAX);
	struct error ignored;
	if (fs_read(AT_FDCWD, "/etc/resolv.conf", &host, &ignored) < 0)
		buf_clear(&host);
	CLEANUP(cleanup_free) char *text = network_resolv_conf_text(host.data);
	network->resolv_conf = xasprintf("%s/resolv.conf", directory);
	CLEANUP(cleanup_fd)
	int fd = open(network->resolv_conf, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || fchmod(fd, 0644) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s",
				       network->resolv_conf);
	return fs_write_all(fd, text, strlen(text), err);
}

int network_open(const char *identity, const char *directory, size_t slots, struct network **ret,
		 struct error *err)
{
	CHECK(strlen(identity) == NETWORK_IDENTITY_CHARS);
	struct network *network = xcalloc(1, sizeof(*network));
	(void)snprintf(network->identity, sizeof(network->identity), "%s", identity);
	network->ip = host_program_find("ip");
	network->nft = host_program_find("nft");
	network->slot_count = slots;
	network->slots = xcalloc(slots, sizeof(*network->slots));
	for (size_t i = 0; i < slots; i++)
		network->slots[i].fd = -1;
	if (network->ip == NULL || network->nft == NULL)
		set_missing(network, "iproute2 and nftables are not installed");
	else if (access(FORWARDING, W_OK) < 0)
		set_missing(network, "the host's network is not ours to configure (not root)");
	if (network->missing == NULL && (delete_table(network, err) < 0 ||
					 write_resolv_conf(network, directory, err) < 0)) {
		set_missing(network, err->msg);
		error_clear(err);
	}
	*ret = network;
	return 0;
}

const char *network_missing(const struct network *network)
{
	return network->missing;
}

const char *network_resolv_conf(const struct network *network)
{
	return network->resolv_conf;
}

static int load_table(struct network *network, struct error *err)
{
	if (network->table != NULL)
		return 0;
	CLEANUP(cleanup_buf) struct buf tables;
	buf_init(&tables, OUTPUT_BYTES_MAX);
	if (list_tables(network, &tables, err) < 0)
		return -1;
	/* Whoever was first had to switch forwarding on: then it is ours to switch off, too. */
	bool router = !is_forwarding() || strstr(tables.data, NETWORK_ROUTER_PREFIX) != NULL;
	CLEANUP(cleanup_free) char *name = network_table_name(network->identity, router);
	CLEANUP(cleanup_free) char *rules = network_rules(network->identity, router);
	if (run_nft(network, rules, err) < 0)
		return error_wrap(err, "the rules that confine networked jobs do not load");
	network->table = TAKE_PTR(name);
	if (router && write_switch(FORWARDING, "1") < 0)
		return error_set_errno(err, ERR_UNPROCESSABLE, errno, "cannot write %s", FORWARDING);
	return 0;
}

/* A new network namespace, without changing ours. */
static int make_namespace(int own_fd, int *ret_fd, struct error *err)
{
	if (unshare(CLONE_NEWNET) < 0)
		return error_set_errno(err, ERR_UNPROCESSABLE, errno,
				       "cannot make a network namespace");
	/* Before there is any interface. Absent where the kernel has no IPv6 at all. */
	(void)write_switch("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	(void)write_switch("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int errnum = errno;
	CHECK(setns(own_fd, CLONE_NEWNET) == 0); /* or all our connections were lost */
	if (fd < 0)
		return error_set_errno(err, ERR_UNPROCESSABLE, errnum,
				       "cannot open the network namespace");
	*ret_fd = fd;
	return 0;
}

/* Addresses that no interface of the worker has, ours or foreign. */
static int choose_addresses(const struct network *network, size_t slot, char host[INET_ADDRSTRLEN],
			    char job[INET_ADDRSTRLEN], struct error *err)
{
	CLEANUP(cleanup_buf) struct buf present;
	buf_init(&present, OUTPUT_BYTES_MAX);
	const char *argv[] = {network->ip, "-o", "-4", "address", "show", NULL};
	if (run(argv, "", &present, err) < 0)
		return -1;
	uint32_t start = (uint32_t)slot;
	for (const char *digit = network->identity; *digit != '\0'; digit++)
		start = start * 31 + (uint32_t)*digit;
	for (uint32_t i = 0; i < ADDRESS_PAIRS; i++) {
		uint32_t pair = (start + i) % ADDRESS_PAIRS;
		struct in_addr address = {.s_addr = htonl(ADDRESS_FIRST + 2 * pair)};
		CHECK(inet_ntop(AF_INET, &address, host, INET_ADDRSTRLEN) != NULL);
		address.s_addr = htonl(ADDRESS_FIRST + 2 * pair + 1);
		CHECK(inet_ntop(AF_INET, &address, job, INET_ADDRSTRLEN) != NULL);
		CLEANUP(cleanup_free) char *taken = xasprintf(" %s/", host);
		CLEANUP(cleanup_free) char *taken_too = xasprintf(" %s ", host);
		if (strstr(present.data, taken) == NULL && strstr(present.data, taken_too) == NULL)
			return 0;
	}
	return error_set(err, ERR_UNPROCESSABLE, "no addresses left in 172.31.0.0/16");
}

static int configure_host_side(const struct network *network, const struct network_slot *slot,
			       const char *host, const char *job, struct error *err)
{
	CLEANUP(cleanup_free)
	char *batch = xasprintf("link add %s type veth peer name eth0 netns %s\n"
				"address add %s peer %s dev %s\n"
				"link set %s up\n",
				slot->interface, slot->path, host, job, slot->interface,
				slot->interface);
	if (run_ip(network, batch, err) < 0)
		return -1;
	CLEANUP(cleanup_free)
	char *no_ipv6 = xasprintf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", slot->interface);
	(void)write_switch(no_ipv6, "1"); /* absent without IPv6 */
	return 0;
}

/* `ip` inherits the namespace that it is started in. */
static int configure_job_side(const struct network *network, const struct network_slot *slot,
			      int own_fd, const char *host, const char *job, struct error *err)
{
	CLEANUP(cleanup_free)
	char *batch = xasprintf("link set lo up\n"
				"address add %s peer %s dev eth0\n"
				"link set eth0 up\n"
				"route add default via %s dev eth0\n",
				job, host, host);
	if (setns(slot->fd, CLONE_NEWNET) < 0)
		return error_set_errno(err, ERR_UNPROCESSABLE, errno,
				       "cannot enter the network namespace");
	int result = run_ip(network, batch, err);
	CHECK(setns(own_fd, CLONE_NEWNET) == 0);
	return result;
}

static void release_slot(const struct network *network, struct network_slot *slot)
{
	if (slot->fd < 0)
		return;
	/* The pair at once; with its namespace alone it would vanish some time later. */
	CLEANUP(cleanup_free) char *batch = xasprintf("link delete %s\n", slot->interface);
	struct error ignored;
	(void)!run_ip(network, batch, &ignored);
	cleanup_fd(&slot->fd);
	slot->fd = -1;
}

static int make_slot(struct network *network, size_t index, struct error *err)
{
	struct network_slot *slot = &network->slots[index];
	char host[INET_ADDRSTRLEN];
	char job[INET_ADDRSTRLEN];
	CLEANUP(cleanup_fd) int own_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own_fd < 0)
		return error_set_errno(err, ERR_UNPROCESSABLE, errno,
				       "cannot open our network namespace");
	if (choose_addresses(network, index, host, job, err) < 0 ||
	    make_namespace(own_fd, &slot->fd, err) < 0)
		return -1;
	(void)snprintf(slot->path, sizeof(slot->path), "/proc/%d/fd/%d", getpid(), slot->fd);
	(void)snprintf(slot->interface, sizeof(slot->interface),
		       NETWORK_INTERFACE_PREFIX "%s%zx", network->identity, index);
	if (configure_host_side(network, slot, host, job, err) < 0 ||
	    configure_job_side(network, slot, own_fd, host, job, err) < 0) {
		release_slot(network, slot);
		return -1;
	}
	return 0;
}

int network_slot(struct network *network, size_t slot, const char **ret_path, struct error *err)
{
	CHECK(slot < network->slot_count);
	if (network->missing != NULL)
		return error_set(err, ERR_UNPROCESSABLE, "no network for jobs here: %s",
				 network->missing);
	if (load_table(network, err) < 0 ||
	    (network->slots[slot].fd < 0 && make_slot(network, slot, err) < 0)) {
		err->code = ERR_UNPROCESSABLE;
		return error_wrap(err, "no network for the job");
	}
	*ret_path = network->slots[slot].path;
	return 0;
}

void network_free(struct network *network)
{
	if (network == NULL)
		return;
	for (size_t i = 0; i < network->slot_count; i++)
		release_slot(network, &network->slots[i]);
	struct error ignored; /* the next open clears it */
	if (network->table != NULL)
		(void)!delete_table(network, &ignored);
	free(network->slots);
	free(network->ip);
	free(network->nft);
	free(network->missing);
	free(network->resolv_conf);
	free(network->table);
	free(network);
}

char *network_resolv_conf_text(const char *host_resolv_conf)
{
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, RESOLV_CONF_BYTES_MAX);
	CLEANUP(cleanup_free) char *copy = xstrdup(host_resolv_conf);
	unsigned count = 0;
	char *rest = copy;
	for (char *line; (line = strsep(&rest, "\n")) != NULL && count < NAME_SERVERS_MAX;) {
		char address[INET_ADDRSTRLEN];
		struct in_addr parsed;
		if (sscanf(line, "nameserver %15s", address) != 1 ||
		    inet_pton(AF_INET, address, &parsed) != 1 ||
		    network_is_blocked(ntohl(parsed.s_addr)))
			continue;
		buf_appendf(&text, "nameserver %s\n", address);
		count++;
	}
	if (count == 0)
		buf_append_str(&text, "nameserver 9.9.9.9\nnameserver 1.1.1.1\n");
	return xstrdup(text.data);
}
