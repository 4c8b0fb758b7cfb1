/* Drives machine.h by hand, for tests/sim/test_machines.sh.
 *
 *	machine_probe INSTANCE DIRECTORY ROOT-TREE    commands from stdin, one a line
 *	machine_probe clean INSTANCE DIRECTORY
 *
 * Commands; each is answered by "ok COMMAND ID" or "error COMMAND ID: why". Events come as
 * "booted ID" and "stopped ID".
 *
 *	on ID NAME PUBLIC-ADDRESS|- USER-DATA-FILE|- [WORD…]
 *		WORDs: NET, delay=MS, late=MS (the private interface), fails, memory=BYTES, image=ID
 *	attach ID NET, where NET is ID,NAME,RANGE,SUBNET,GATEWAY,ADDRESS,MAC
 *	detach ID NETWORK-ID
 *	alias ID NETWORK-ID [ADDRESS]
 *	routes NETWORK-ID [DESTINATION GATEWAY]
 *	cut, heal ID [NETWORK-ID]
 *	snapshot ID IMAGE-ID
 *	ready IMAGE-ID			whether it is
 *	keep IMAGE-ID			and no other
 *	off, shutdown, delete ID
 *	quit */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "hcloud/machine.h"

#define WORDS_MAX	    16
#define NET_FIELDS	    7
#define NETS_MAX	    4
#define LINE_BYTES_MAX	    4096
#define USER_DATA_BYTES_MAX 65536

struct probe {
	sd_event *event;
	struct machine_backend *backend;
	struct buf input;
};

static void on_event(void *context, int64_t server_id, enum machine_event event)
{
	(void)context;
	(void)printf("%s %" PRId64 "\n", event == MACHINE_BOOTED ? "booted" : "stopped", server_id);
	(void)fflush(stdout);
}

/* Cuts the text at each separator; the pieces point into it. */
static size_t split(char *text, const char *separators, char **ret, size_t count_max)
{
	char *rest = text;
	size_t count = 0;
	char *piece;

	while (count < count_max && (piece = strsep(&rest, separators)) != NULL)
		ret[count++] = piece;
	return count;
}

static int parse_net(char *text, struct machine_private_net *ret, struct error *err)
{
	char *fields[NET_FIELDS];

	if (split(text, ",", fields, NET_FIELDS) != NET_FIELDS)
		return error_set(err, ERR_INVALID, "a network has %d fields", NET_FIELDS);
	*ret = (struct machine_private_net){
		.network_name = fields[1],
		.network_range = fields[2],
		.subnet_range = fields[3],
		.gateway = fields[4],
		.ip = fields[5],
		.mac_address = fields[6],
	};
	return parse_i64(fields[0], 1, INT64_MAX, &ret->network_id, err);
}

static int parse_word(char *word, struct machine_spec *spec, struct machine_private_net *nets,
		      struct error *err)
{
	const char *value = strchr(word, '=');

	if (str_eq(word, "fails")) {
		spec->boot_fails = true;
		return 0;
	}
	if (value == NULL) {
		if (spec->private_net_count == NETS_MAX)
			return error_set(err, ERR_INVALID, "too many networks");
		return parse_net(word, &nets[spec->private_net_count++], err);
	}
	if (str_has_prefix(word, "image="))
		return parse_i64(value + 1, 1, INT64_MAX, &spec->image_id, err);
	uint64_t *number = str_has_prefix(word, "delay=")  ? &spec->boot_delay_ms
			   : str_has_prefix(word, "late=") ? &spec->private_net_delay_ms
							   : &spec->memory_bytes;

	return parse_u64(value + 1, 0, UINT64_MAX, number, err);
}

static int power_on(struct probe *probe, int64_t id, char **words, size_t count, struct error *err)
{
	static const char *const ssh_keys[] = {"ssh-ed25519 AAAAC3Nz \"quoted\" probe", NULL};
	struct machine_private_net nets[NETS_MAX];
	CLEANUP(cleanup_buf) struct buf user_data;

	buf_init(&user_data, USER_DATA_BYTES_MAX);
	if (count < 5)
		return error_set(err, ERR_INVALID, "on ID NAME PUBLIC-ADDRESS USER-DATA-FILE");
	struct machine_spec spec = {
		.server_id = id,
		.name = words[2],
		.location = "fsn1",
		.network_zone = "eu-central",
		.public_ipv4 = str_eq(words[3], "-") ? NULL : words[3],
		.ssh_keys = ssh_keys,
		.private_nets = nets,
	};

	if (!str_eq(words[4], "-")) {
		if (fs_read(AT_FDCWD, words[4], &user_data, err) != 0)
			return -1;
		spec.user_data = user_data.data;
		spec.user_data_bytes = user_data.bytes;
	}
	for (size_t i = 5; i < count; i++) {
		if (parse_word(words[i], &spec, nets, err) != 0)
			return -1;
	}
	return machine_power_on(probe->backend, &spec, err);
}

static int set_routes(struct probe *probe, int64_t network_id, char **words, size_t count,
		      struct error *err)
{
	const struct machine_route route = {count > 3 ? words[2] : "", count > 3 ? words[3] : ""};

	return machine_set_routes(probe->backend, network_id, &route, count > 3 ? 1 : 0, err);
}

static int obey(struct probe *probe, char **words, size_t count, struct error *err)
{
	struct machine_private_net net;
	int64_t other_id;
	int64_t id;

	if (count < 2 || parse_i64(words[1], 1, INT64_MAX, &id, err) != 0)
		return error_set(err, ERR_INVALID, "COMMAND ID");
	if (str_eq(words[0], "on"))
		return power_on(probe, id, words, count, err);
	if (str_eq(words[0], "routes"))
		return set_routes(probe, id, words, count, err);
	other_id = 0;
	if (count > 2 && !str_eq(words[0], "attach") &&
	    parse_i64(words[2], 1, INT64_MAX, &other_id, err) != 0)
		return -1;
	if (str_eq(words[0], "cut") || str_eq(words[0], "heal"))
		return machine_partition(probe->backend, id, other_id, str_eq(words[0], "cut"),
					 err);
	if (str_eq(words[0], "snapshot"))
		return machine_snapshot(probe->backend, id, 0, other_id, err);
	if (str_eq(words[0], "ready"))
		return machine_image_state(probe->backend, id) == MACHINE_IMAGE_READY
			       ? 0
			       : error_set(err, ERR_CONFLICT, "it is not");
	if (str_eq(words[0], "keep"))
		return machine_keep_images(probe->backend, &id, 1, err);
	if (str_eq(words[0], "alias")) {
		const char *const alias_ips[] = {count > 3 ? words[3] : NULL, NULL};

		return machine_set_aliases(probe->backend, id, other_id, alias_ips, err);
	}
	if (str_eq(words[0], "attach") && count == 3) {
		if (parse_net(words[2], &net, err) != 0)
			return -1;
		return machine_attach(probe->backend, id, &net, err);
	}
	if (str_eq(words[0], "detach") && count == 3) {
		machine_detach(probe->backend, id, other_id);
	} else if (str_eq(words[0], "off")) {
		machine_power_off(probe->backend, id);
	} else if (str_eq(words[0], "shutdown")) {
		machine_shut_down(probe->backend, id);
	} else if (str_eq(words[0], "delete")) {
		machine_delete(probe->backend, id);
	} else {
		return error_set(err, ERR_INVALID, "no such command");
	}
	return 0;
}

static void obey_line(struct probe *probe, char *line)
{
	char *words[WORDS_MAX];
	size_t count = split(line, " ", words, WORDS_MAX);
	const char *id = count > 1 ? words[1] : "";
	struct error err;

	if (str_eq(words[0], "quit"))
		(void)sd_event_exit(probe->event, 0);
	else if (obey(probe, words, count, &err) == 0)
		(void)printf("ok %s %s\n", words[0], id);
	else
		(void)printf("error %s %s: %s\n", words[0], id, err.msg);
	(void)fflush(stdout);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct probe *probe = userdata;
	char *room = buf_reserve(&probe->input, 1024);
	ssize_t got = room == NULL ? 0 : read(fd, room, 1024);
	char *end;

	(void)source;
	(void)revents;
	if (got <= 0)
		return sd_event_exit(probe->event, 0);
	buf_commit(&probe->input, (size_t)got);
	while ((end = strchr(probe->input.data, '\n')) != NULL) {
		size_t bytes = (size_t)(end - probe->input.data) + 1;

		*end = '\0';
		obey_line(probe, probe->input.data);
		buf_consume(&probe->input, bytes);
	}
	return 0;
}

static int run(const char *instance, const char *directory, const char *root_tree,
	       struct error *err)
{
	struct probe probe = {.event = NULL};
	const int signals[] = {SIGTERM, SIGINT};
	sigset_t blocked;

	buf_init(&probe.input, LINE_BYTES_MAX);
	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&blocked, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &blocked, NULL);
	if (sd_event_new(&probe.event) < 0)
		return error_set(err, ERR_INTERNAL, "cannot make an event loop");
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sd_event_add_signal(probe.event, NULL, signals[i], NULL, NULL);
	const struct machine_backend_options options = {
		.event = probe.event,
		.instance = instance,
		.directory = directory,
		.root_tree = root_tree,
		.on_event = on_event,
		.context = &probe,
	};
	int result = machine_backend_new_netns(&options, &probe.backend, err);

	if (result == 0) {
		(void)printf("ready\n");
		(void)fflush(stdout);
		(void)sd_event_add_io(probe.event, NULL, STDIN_FILENO, EPOLLIN, on_input, &probe);
		(void)sd_event_loop(probe.event);
		machine_backend_free(probe.backend);
	}
	buf_release(&probe.input);
	(void)sd_event_unref(probe.event);
	return result;
}

int main(int argc, const char **argv)
{
	struct error err;
	int result;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: machine_probe INSTANCE DIRECTORY ROOT-TREE\n");
		return 2;
	}
	if (str_eq(argv[1], "clean"))
		result = machine_clean_netns(argv[2], argv[3], &err);
	else
		result = run(argv[1], argv[2], argv[3], &err);
	if (result == 0)
		return 0;
	(void)fprintf(stderr, "machine_probe: %s\n%s%s", err.msg, err.hint,
		      err.hint[0] == '\0' ? "" : "\n");
	return error_exit_code(err.code);
}
