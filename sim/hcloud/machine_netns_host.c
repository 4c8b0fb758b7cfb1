#include "hcloud/machine_netns_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "base/str.h"
#include "hcloud/machine_netns_boot.h"
#include "hcloud/machine_netns_cgroup.h"
#include "hcloud/machine_netns_loop.h"
#include "hcloud/machine_netns_metadata.h"
#include "hcloud/machine_netns_space.h"

#define SETTLE_PAUSE_US (20ULL * 1000)
#define FREE_TRIES	500
#define FREE_PAUSE_MS	20

enum host_state {
	HOST_OFF = 1,
	HOST_STARTING, /* everything but the system, which comes after a delay or never */
	HOST_RUNNING,  /* systemd-nspawn runs */
	HOST_DYING,    /* killed, or ended by itself; something is still there */
};

struct host {
	struct host_options options;
	char *name;
	char *directory;
	enum host_state state;
	bool is_cut;					/* from all networks */
	int64_t cut_networks[MACHINE_PRIVATE_NETS_MAX]; /* from these; 0: free */
	/* While it is not off: */
	struct identity *identity;
	struct metadata *metadata;
	struct machine_cgroup cgroup;
	struct cable public_cable;
	struct cable private_cables[MACHINE_PRIVATE_NETS_MAX]; /* by slot */
	bool has_space;
	pid_t pid; /* 0: none */
	int pidfd;
	int mark_fd; /* inotify on the directory in which the mark appears */
	sd_event_source *exit_source;
	sd_event_source *mark_source;
	sd_event_source *boot_timer;
	sd_event_source *plug_timer;
	sd_event_source *settle_timer;
};

struct host *host_new(const struct host_options *options)
{
	struct host *host = xcalloc(1, sizeof(*host));

	host->options = *options;
	host->options.event = sd_event_ref(options->event);
	host->name = xstrdup(options->name);
	host->directory = xstrdup(options->directory);
	host->state = HOST_OFF;
	host->pidfd = -1;
	host->mark_fd = -1;
	return host;
}

bool host_is_off(const struct host *host)
{
	return host->state == HOST_OFF;
}

bool host_is_dying(const struct host *host)
{
	return host->state == HOST_DYING;
}

static void forget_process(struct host *host)
{
	host->exit_source = sd_event_source_disable_unref(host->exit_source);
	host->mark_source = sd_event_source_disable_unref(host->mark_source);
	if (host->pidfd >= 0)
		(void)close(TAKE_FD(host->pidfd));
	if (host->mark_fd >= 0)
		(void)close(TAKE_FD(host->mark_fd));
	host->pid = 0;
}

/* Everything but processes and what waits for them. */
static void take_down(struct host *host)
{
	host->boot_timer = sd_event_source_disable_unref(host->boot_timer);
	host->plug_timer = sd_event_source_disable_unref(host->plug_timer);
	host->settle_timer = sd_event_source_disable_unref(host->settle_timer);
	metadata_free(TAKE_PTR(host->metadata));
	router_unplug(host->options.router, &host->public_cable);
	for (size_t i = 0; i < ARRAY_SIZE(host->private_cables); i++)
		router_unplug(host->options.router, &host->private_cables[i]);
	if (host->has_space)
		space_remove(host->name);
	host->has_space = false;
	boot_clean(host->name);
	loop_detach_all(host->directory);
	machine_cgroup_release(&host->cgroup);
	identity_free(TAKE_PTR(host->identity));
	host->state = HOST_OFF;
}

void host_free(struct host *host)
{
	if (host == NULL)
		return;
	if (host->state != HOST_OFF) {
		machine_cgroup_kill(host->name);
		if (host->pid > 0)
			(void)waitpid(host->pid, NULL, 0);
		forget_process(host);
		for (int i = 0; i < FREE_TRIES && !machine_cgroup_remove(host->name); i++)
			(void)poll(NULL, 0, FREE_PAUSE_MS);
		take_down(host);
	}
	(void)sd_event_unref(host->options.event);
	free(host->name);
	free(host->directory);
	free(host);
}

static int on_settle(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct host *host = userdata;

	(void)source;
	(void)usec;
	/* Processes that outlive systemd-nspawn are killed again: one may just have been born. */
	machine_cgroup_kill(host->name);
	if (host->pid == 0 && machine_cgroup_remove(host->name)) {
		take_down(host);
		host->options.on_event(host->options.context, host->options.server_id,
				       MACHINE_STOPPED);
		return 0;
	}
	(void)sd_event_source_set_time_relative(host->settle_timer, SETTLE_PAUSE_US);
	(void)sd_event_source_set_enabled(host->settle_timer, SD_EVENT_ONESHOT);
	return 0;
}

static int add_timer(struct host *host, sd_event_source **timer, uint64_t delay_us,
		     sd_event_time_handler_t handler, struct error *err)
{
	*timer = sd_event_source_disable_unref(*timer);
	int rc = sd_event_add_time_relative(host->options.event, timer, CLOCK_MONOTONIC, delay_us,
					    1000, handler, host);

	if (rc < 0)
		return error_set_errno(err, ERR_INTERNAL, -rc, "cannot set a timer");
	return 0;
}

static void begin_to_die(struct host *host)
{
	struct error err;

	host->state = HOST_DYING;
	host->boot_timer = sd_event_source_disable_unref(host->boot_timer);
	host->plug_timer = sd_event_source_disable_unref(host->plug_timer);
	/* Fails only for lack of memory. */
	CHECK(add_timer(host, &host->settle_timer, 0, on_settle, &err) == 0);
}

static int run(struct host *host, struct error *err);

static int on_exit_of_process(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct host *host = userdata;
	struct error err;
	int status = 0;

	(void)source;
	(void)fd;
	(void)revents;
	(void)waitpid(host->pid, &status, 0);
	forget_process(host);
	if (host->state == HOST_RUNNING) {
		loop_detach_all(host->directory); /* the next boot forgets which they were */
		if (WIFEXITED(status) && WEXITSTATUS(status) == BOOT_EXIT_REBOOT &&
		    run(host, &err) == 0)
			return 0;
		begin_to_die(host);
	}
	return 0;
}

static int on_mark(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct host *host = userdata;
	CLEANUP(cleanup_free)
	char *mark = xasprintf("%s/platform/" BOOT_MARK, host->directory);
	_Alignas(struct inotify_event) char events[4096];

	(void)source;
	(void)revents;
	(void)!read(fd, events, sizeof(events)); /* what has happened is looked up instead */
	if (access(mark, F_OK) != 0)
		return 0;
	host->mark_source = sd_event_source_disable_unref(host->mark_source);
	if (host->state == HOST_RUNNING)
		host->options.on_event(host->options.context, host->options.server_id,
				       MACHINE_BOOTED);
	return 0;
}

static int no_watch(const char *path, int error_number, struct error *err)
{
	if (error_number == EMFILE)
		return error_set(err, ERR_INTERNAL,
				 "this computer has no instance of inotify left for it: raise "
				 "fs.inotify.max_user_instances");
	return error_set_errno(err, ERR_INTERNAL, error_number, "cannot watch %s", path);
}

/* Before the start, so that the mark cannot be missed. */
static int watch_mark(struct host *host, struct error *err)
{
	CLEANUP(cleanup_free) char *platform = xasprintf("%s/platform", host->directory);

	host->mark_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (host->mark_fd < 0 || inotify_add_watch(host->mark_fd, platform, IN_CREATE) < 0)
		return no_watch(platform, errno, err);
	int rc = sd_event_add_io(host->options.event, &host->mark_source, host->mark_fd, EPOLLIN,
				 on_mark, host);

	if (rc < 0)
		return no_watch(platform, -rc, err);
	return 0;
}

static int watch_exit(struct host *host, struct error *err)
{
	host->pidfd = (int)syscall(SYS_pidfd_open, host->pid, 0);
	int rc = host->pidfd < 0 ? -errno
				 : sd_event_add_io(host->options.event, &host->exit_source,
						   host->pidfd, EPOLLIN, on_exit_of_process, host);

	if (rc < 0)
		return error_set_errno(err, ERR_INTERNAL, -rc, "cannot watch systemd-nspawn");
	return 0;
}

/* The system itself, in the namespace that stands. */
static int run(struct host *host, struct error *err)
{
	const struct boot_options options = {
		.directory = host->directory,
		.images = host->options.images,
		.image_id = host->identity->image_id,
		.name = host->name,
		.hostname = host->identity->name,
		.server_id = host->options.server_id,
		.cgroup = &host->cgroup,
	};

	if (boot_prepare(&options, err) != 0 || watch_mark(host, err) != 0)
		return -1;
	if (boot_start(&options, &host->pid, err) != 0) {
		forget_process(host);
		return -1;
	}
	host->state = HOST_RUNNING;
	if (watch_exit(host, err) != 0) {
		machine_cgroup_kill(host->name);
		(void)waitpid(host->pid, NULL, 0);
		forget_process(host);
		return -1;
	}
	return 0;
}

static int on_boot(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct host *host = userdata;
	struct error err;

	(void)source;
	(void)usec;
	if (run(host, &err) != 0)
		begin_to_die(host);
	return 0;
}

static bool is_cut_from(const struct host *host, const struct cable *cable)
{
	bool is_cut = host->is_cut;

	for (size_t i = 0; cable->network_id != 0 && i < ARRAY_SIZE(host->cut_networks); i++)
		is_cut = is_cut || host->cut_networks[i] == cable->network_id;
	return is_cut;
}

/* The near end of the metadata service, and the fault that the machine may be under. */
static int finish_plugging(struct host *host, struct cable *cable, struct error *err)
{
	if (metadata_listen(host->metadata, cable, err) == 0) {
		if (!is_cut_from(host, cable) ||
		    router_cut(host->options.router, cable, true, err) == 0)
			return 0;
		metadata_unlisten(host->metadata, cable);
	}
	router_unplug(host->options.router, cable);
	return -1;
}

static int plug_private(struct host *host, uint64_t slot, struct error *err)
{
	struct cable *cable = &host->private_cables[slot];

	if (router_plug_private(host->options.router, host->name, host->options.server_id,
				&host->identity->private_nets[slot], slot,
				host->identity->public_ipv4 == NULL, cable, err) != 0)
		return -1;
	return finish_plugging(host, cable, err);
}

static int plug_all_private(struct host *host, struct error *err)
{
	for (uint64_t slot = 0; slot < MACHINE_PRIVATE_NETS_MAX; slot++) {
		if (host->identity->private_nets[slot].network_id != 0 &&
		    host->private_cables[slot].space[0] == '\0' &&
		    plug_private(host, slot, err) != 0)
			return -1;
	}
	return 0;
}

static int on_plug(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct error err;

	(void)source;
	(void)usec;
	/* There is nobody to tell; the machine goes on without, as one whose network is late. */
	(void)!plug_all_private(userdata, &err);
	return 0;
}

/* Now, or when the fault of a late interface is over. */
static int plug_soon(struct host *host, struct error *err)
{
	if (host->identity->private_net_delay_ms == 0)
		return plug_all_private(host, err);
	return add_timer(host, &host->plug_timer, host->identity->private_net_delay_ms * 1000,
			 on_plug, err);
}

static int set_up(struct host *host, struct error *err)
{
	const struct identity *identity = host->identity;

	if (machine_cgroup_make(host->name, identity->memory_bytes, &host->cgroup, err) != 0)
		return -1;
	if (space_new(host->name, false, err) != 0)
		return -1;
	host->has_space = true;
	if (identity->public_ipv4 != NULL) {
		if (router_plug_public(host->options.router, host->name, host->options.server_id,
				       identity->public_ipv4, &host->public_cable, err) != 0 ||
		    finish_plugging(host, &host->public_cable, err) != 0)
			return -1;
	}
	if (plug_soon(host, err) != 0)
		return -1;
	if (identity->boot_fails)
		return 0;
	if (identity->boot_delay_ms == 0)
		return run(host, err);
	return add_timer(host, &host->boot_timer, identity->boot_delay_ms * 1000, on_boot, err);
}

int host_start(struct host *host, struct identity *identity, struct error *err)
{
	CHECK(host->state == HOST_OFF);
	host->identity = identity;
	host->metadata = metadata_new(host->options.event, identity);
	host->state = HOST_STARTING;
	if (set_up(host, err) == 0)
		return 0;
	host->identity = NULL; /* it stays the caller's */
	(void)machine_cgroup_remove(host->name);
	take_down(host);
	return -1;
}

void host_kill(struct host *host)
{
	if (host->state != HOST_STARTING && host->state != HOST_RUNNING)
		return;
	machine_cgroup_kill(host->name);
	begin_to_die(host);
}

void host_shut_down(struct host *host)
{
	if (host->state == HOST_RUNNING)
		(void)kill(host->pid, SIGTERM);
}

static bool has_identity(const struct host *host)
{
	return host->state == HOST_STARTING || host->state == HOST_RUNNING;
}

int host_attach(struct host *host, const struct machine_private_net *net, struct error *err)
{
	uint64_t slot;

	if (!has_identity(host))
		return 0;
	if (identity_attach(host->identity, net, &slot, err) != 0)
		return -1;
	if (plug_soon(host, err) == 0)
		return 0;
	identity_detach(host->identity, net->network_id);
	return -1;
}

static struct cable *find_cable(struct host *host, int64_t network_id)
{
	for (size_t i = 0; i < ARRAY_SIZE(host->private_cables); i++) {
		struct cable *cable = &host->private_cables[i];

		if (cable->space[0] != '\0' && cable->network_id == network_id)
			return cable;
	}
	return NULL;
}

void host_detach(struct host *host, int64_t network_id)
{
	if (!has_identity(host))
		return;
	struct cable *cable = find_cable(host, network_id);

	if (cable != NULL) {
		metadata_unlisten(host->metadata, cable);
		router_unplug(host->options.router, cable);
	}
	identity_detach(host->identity, network_id);
}

int host_set_aliases(struct host *host, int64_t network_id, const char *const *alias_ips,
		     struct error *err)
{
	struct cable *cable = find_cable(host, network_id);

	if (!has_identity(host))
		return 0;
	if (identity_set_aliases(host->identity, network_id, alias_ips, err) != 0)
		return -1;
	if (cable == NULL) /* its interface is late, and will bring them along */
		return 0;
	return router_set_aliases(host->options.router, cable, alias_ips, err);
}

int host_refresh_routes(struct host *host, int64_t network_id, struct error *err)
{
	const struct cable *cable = find_cable(host, network_id);

	return cable == NULL ? 0 : router_refresh(host->options.router, cable, err);
}

/* Notes what is to be cut; the cables follow. */
static int note_partition(struct host *host, int64_t network_id, bool cut, struct error *err)
{
	int64_t *at = NULL;

	if (network_id == 0) {
		host->is_cut = cut;
		memset(host->cut_networks, 0, sizeof(host->cut_networks));
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(host->cut_networks); i++) {
		if (host->cut_networks[i] == network_id)
			host->cut_networks[i] = 0;
		if (at == NULL && host->cut_networks[i] == 0)
			at = &host->cut_networks[i];
	}
	if (!cut)
		return 0;
	if (at == NULL)
		return error_set(err, ERR_TOO_LARGE, "a machine is cut from %d networks at most",
				 MACHINE_PRIVATE_NETS_MAX);
	*at = network_id;
	return 0;
}

int host_partition(struct host *host, int64_t network_id, bool cut, struct error *err)
{
	struct router *router = host->options.router;

	if (note_partition(host, network_id, cut, err) != 0 ||
	    router_cut(router, &host->public_cable, is_cut_from(host, &host->public_cable), err) !=
		    0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(host->private_cables); i++) {
		struct cable *cable = &host->private_cables[i];

		if (router_cut(router, cable, is_cut_from(host, cable), err) != 0)
			return -1;
	}
	return 0;
}

int host_erase(struct host *host, struct error *err)
{
	CHECK(host->state == HOST_OFF);
	return fs_remove_all(AT_FDCWD, host->directory, err);
}
