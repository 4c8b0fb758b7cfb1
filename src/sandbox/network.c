#include "sandbox/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/rand.h"
#include "base/spawn.h"
#include "core/ipv4.h"

#define RULES_BYTES_MAX	  8192
#define COMMAND_WORDS_MAX 24
#define LINK_NUMBERS	  16384 /* blocks of four addresses in 172.31.0.0/16 */
#define LINK_ATTEMPTS	  64

/* 10.0.0.0/8 and its like, loopback, link-local with the metadata service, shared address space,
 * multicast and reserved. */
#define BLOCKED_RANGES                                                                       \
	"0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, " \
	"192.0.0.0/24, 192.168.0.0/16, 224.0.0.0/3"

static const char resolvers[] = "nameserver 9.9.9.9\nnameserver 1.1.1.1\noptions edns0\n";

/* A slot's pair of interfaces. Out here it is "rgj<number>"; the number also gives the addresses.
 */
struct link {
	char *path; /* of the namespace; NULL until made */
	unsigned number;
};

struct networks {
	char *table;
	char *directory;
	char *resolv_conf;
	const char *missing; /* NULL: usable */
	bool has_rules;
	size_t slot_count;
	struct link *links;
	struct network_endpoint kept_from[NETWORK_ENDPOINTS_MAX];
	size_t kept_from_count;
};

/* Runs a program to its end; `input` goes to its standard input. */
static int run(const char *const *argv, const char *input, struct error *err)
{
	struct buf output;
	int status;
	CLEANUP(cleanup_fd) int input_fd = -1;
	if (input != NULL) {
		input_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (input_fd < 0 || fs_write_all(input_fd, input, strlen(input), err) < 0 ||
		    lseek(input_fd, 0, SEEK_SET) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot hand rules to %s",
					       argv[0]);
	}
	struct spawn_options options = {
		.argv = argv, .stdin_fd = input_fd, .stdout_fd = -1, .stderr_fd = -1};
	buf_init(&output, 4096);
	int result = spawn_wait(&options, &output, &status, err);
	if (result == 0 && status != 0)
		result = error_set(err, ERR_UNAVAILABLE, "%s %s failed: %s", argv[0], argv[1],
				   output.data);
	buf_release(&output);
	return result;
}

/* ip(8) with words separated by single spaces. */
static int ip(char *words, struct error *err)
{
	const char *argv[COMMAND_WORDS_MAX + 2] = {"ip"};
	size_t count = 1;
	for (char *rest = words, *word; (word = strsep(&rest, " ")) != NULL;) {
		CHECK(count <= COMMAND_WORDS_MAX);
		argv[count++] = word;
	}
	return run(argv, NULL, err);
}

static void delete_table(const struct networks *networks)
{
	struct error ignored; /* most often it is not there */
	const char *argv[] = {"nft", "delete", "table", "inet", networks->table, NULL};
	if (run(argv, NULL, &ignored) < 0)
		return;
}

static void append_kept_from(const struct networks *networks, struct buf *out)
{
	char address[IPV4_BYTES];

	for (size_t i = 0; i < networks->kept_from_count; i++)
		buf_appendf(out,
			    "  iifname \"rgj*\" ip daddr %s tcp dport %u reject with icmp type "
			    "admin-prohibited\n",
			    ipv4_format(networks->kept_from[i].address, address),
			    (unsigned)networks->kept_from[i].port);
}

/* Whatever comes in by an interface of a job is filtered by these chains. Several workers of one
 * machine load the same rules, each in a table of its own; a packet must pass all. */
static int load_rules(struct networks *networks, struct error *err)
{
	struct buf rules;
	CLEANUP(cleanup_buf) struct buf kept;
	buf_init(&rules, RULES_BYTES_MAX);
	buf_init(&kept, RULES_BYTES_MAX / 2);
	append_kept_from(networks, &kept);
	buf_appendf(&rules,
		    "table inet %s {\n"
		    " chain forward {\n"
		    "  type filter hook forward priority filter - 10; policy accept;\n"
		    "  iifname \"rgj*\" meta nfproto ipv6 drop\n"
		    "  iifname \"rgj*\" ip daddr { " BLOCKED_RANGES
		    " } reject with icmp type admin-prohibited\n"
		    "%s"
		    "  iifname \"rgj*\" oifname \"rgj*\" drop\n"
		    "  oifname \"rgj*\" ct state established,related accept\n"
		    "  oifname \"rgj*\" drop\n"
		    " }\n"
		    " chain input {\n"
		    "  type filter hook input priority filter - 10; policy accept;\n"
		    "  iifname \"rgj*\" drop\n"
		    " }\n"
		    " chain translate {\n"
		    "  type nat hook postrouting priority srcnat; policy accept;\n"
		    "  iifname \"rgj*\" masquerade\n"
		    " }\n"
		    "}\n",
		    networks->table, kept.bytes > 0 ? kept.data : "");
	CHECK(!rules.overflowed);
	const char *argv[] = {"nft", "-f", "-", NULL};
	int result = run(argv, rules.data, err);
	buf_release(&rules);
	if (result == 0)
		networks->has_rules = true;
	return result;
}

static int enable_forwarding(struct error *err)
{
	CLEANUP(cleanup_fd) int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return error_set_errno(err, ERR_UNAVAILABLE, errno, "cannot turn forwarding on");
	return 0;
}

struct networks *networks_open(const char *name, const char *directory, size_t slots, bool is_root)
{
	struct networks *networks = xcalloc(1, sizeof(*networks));
	char program[PATH_MAX];
	struct error ignored; /* what is missing is told in fewer words */
	networks->table = xstrdup(name);
	networks->directory = xstrdup(directory);
	networks->resolv_conf = xasprintf("%s/resolv.conf", directory);
	networks->slot_count = slots;
	networks->links = xcalloc(slots, sizeof(*networks->links));
	if (!is_root)
		networks->missing = "an ordinary user cannot make one";
	else if (spawn_find("nft", program, &ignored) < 0)
		networks->missing = "nft is not installed (package nftables)";
	else if (spawn_find("ip", program, &ignored) < 0)
		networks->missing = "ip is not installed (package iproute2)";
	else
		delete_table(networks);
	return networks;
}

void networks_keep_from(struct networks *networks, const struct network_endpoint *endpoints,
			size_t count)
{
	CHECK(count <= NETWORK_ENDPOINTS_MAX);
	memcpy(networks->kept_from, endpoints, count * sizeof(*endpoints));
	networks->kept_from_count = count;
}

void networks_free(struct networks *networks)
{
	if (networks == NULL)
		return;
	for (size_t i = 0; i < networks->slot_count; i++) {
		struct link *link = &networks->links[i];
		if (link->path == NULL)
			continue;
		struct error ignored; /* the namespace's end removes the pair as well, only later */
		CLEANUP(cleanup_free) char *words = xasprintf("link delete rgj%u", link->number);
		if (ip(words, &ignored) == 0)
			(void)umount2(link->path, MNT_DETACH);
		free(link->path);
	}
	if (networks->has_rules)
		delete_table(networks);
	free(networks->links);
	free(networks->table);
	free(networks->directory);
	free(networks->resolv_conf);
	free(networks);
}

const char *networks_missing(const struct networks *networks)
{
	return networks->missing;
}

const char *networks_resolv_conf(const struct networks *networks)
{
	return networks->resolv_conf;
}

/* A new network namespace, bound to `path` so that it lives on without a process. */
static int make_namespace(const char *path, struct error *err)
{
	CLEANUP(cleanup_fd) int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s", path);
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ||
		      mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0);
	int status = -1;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return error_set(err, ERR_UNAVAILABLE, "cannot make a network namespace");
	return 0;
}

/* Makes the pair under the first number that no interface of this machine has: the kernel's refusal
 * of a second interface of one name is what tells workers' numbers apart. */
static int make_pair(const char *path, unsigned *ret_number, struct error *err)
{
	unsigned first = (unsigned)rand_below(LINK_NUMBERS);
	for (unsigned i = 0; i < LINK_ATTEMPTS; i++) {
		unsigned number = (first + i) % LINK_NUMBERS;
		CLEANUP(cleanup_free)
		char *words =
			xasprintf("link add rgj%u type veth peer name eth0 netns %s", number, path);
		if (ip(words, err) == 0) {
			*ret_number = number;
			return 0;
		}
	}
	return -1;
}

/* The addresses of number n: the n-th /30 of 172.31.0.0/16, the first out here, the second inside.
 * They are never seen outside. */
static int join_up(const char *path, unsigned *ret_number, struct error *err)
{
	unsigned number;
	if (make_pair(path, &number, err) < 0)
		return -1;
	unsigned third = number / 64;
	unsigned fourth = number % 64 * 4;
	CLEANUP(cleanup_free)
	char *address = xasprintf("addr add 172.31.%u.%u/30 dev rgj%u", third, fourth + 1, number);
	CLEANUP(cleanup_free) char *up = xasprintf("link set rgj%u up", number);
	if (ip(address, err) < 0 || ip(up, err) < 0)
		return -1;
	CLEANUP(cleanup_free) char *net = xasprintf("--net=%s", path);
	CLEANUP(cleanup_free) char *inside = xasprintf("172.31.%u.%u/30", third, fourth + 2);
	CLEANUP(cleanup_free) char *gateway = xasprintf("172.31.%u.%u", third, fourth + 1);
	const char *loopback[] = {"nsenter", net, "ip", "link", "set", "lo", "up", NULL};
	const char *own[] = {"nsenter", net, "ip", "addr", "add", inside, "dev", "eth0", NULL};
	const char *eth0[] = {"nsenter", net, "ip", "link", "set", "eth0", "up", NULL};
	const char *route[] = {"nsenter", net,	 "ip",	  "route", "add",
			       "default", "via", gateway, NULL};
	if (run(loopback, NULL, err) < 0 || run(own, NULL, err) < 0 || run(eth0, NULL, err) < 0 ||
	    run(route, NULL, err) < 0)
		return -1;
	*ret_number = number;
	return 0;
}

int network_get(struct networks *networks, size_t slot, const char **ret_path, struct error *err)
{
	CHECK(slot < networks->slot_count);
	CHECK(networks->missing == NULL);
	struct link *link = &networks->links[slot];
	if (link->path != NULL) {
		*ret_path = link->path;
		return 0;
	}
	if (!networks->has_rules &&
	    (fs_write_atomic(networks->resolv_conf, resolvers, strlen(resolvers), 0644, err) < 0 ||
	     enable_forwarding(err) < 0 || load_rules(networks, err) < 0))
		return error_wrap(err, "the job's network");
	CLEANUP(cleanup_free) char *path = xasprintf("%s/net-%zu", networks->directory, slot);
	if (make_namespace(path, err) < 0 || join_up(path, &link->number, err) < 0) {
		(void)umount2(path, MNT_DETACH);
		return error_wrap(err, "the job's network");
	}
	link->path = TAKE_PTR(path);
	*ret_path = link->path;
	return 0;
}
