/* The "netns" backend of machine.h: which machines there are, and what is to become of each. */
#include "hcloud/machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fs.h"
#include "base/str.h"
#include "hcloud/machine_netns_host.h"
#include "hcloud/machine_netns_identity.h"
#include "hcloud/machine_netns_image.h"
#include "hcloud/machine_netns_leftovers.h"
#include "hcloud/machine_netns_router.h"
#include "hcloud/machine_netns_space.h"

/* Of inotify, for all that root runs on this computer. A system that boots opens up to a dozen,
 * systemd the most of them; the kernel's default of 128 is used up by ten machines, and the next
 * ones stand still half booted. A limit costs nothing until it is used. */
#define INOTIFY_LIMIT_PATH "/proc/sys/fs/inotify/max_user_instances"
#define INOTIFY_INSTANCES  8192

struct machine {
	int64_t server_id;
	struct host *host;
	bool is_deleted;	     /* when it is off, its disk goes */
	struct identity *start_next; /* what starts when it is off, or NULL */
	struct machine *next;
};

struct machine_backend {
	sd_event *event;
	char *instance;
	char *directory;
	bool keeps_images;
	struct images *images;
	void (*on_event)(void *context, int64_t server_id, enum machine_event event);
	void *context;
	int lock_fd;
	struct router *router;
	struct machine *machines;
};

/* They become parts of systemd-nspawn's arguments, in which these have a meaning. */
static int check_path(const char *path, struct error *err)
{
	if (path[0] != '/' || strpbrk(path, ":\\\"' \t\n") != NULL || strlen(path) > 400)
		return error_set(err, ERR_INVALID,
				 "%s cannot be a directory of machines: it must be absolute, short,"
				 " and without spaces, quotes and colons",
				 path);
	return 0;
}

static int check_root(struct error *err)
{
	if (geteuid() == 0)
		return 0;
	return error_set(err, ERR_FORBIDDEN, "only root can run machines in network namespaces");
}

static int check_root_tree(const char *path, struct error *err)
{
	CLEANUP(cleanup_free)
	char *platform = xasprintf("%s/usr/lib/hcloud-sim/platform", path);

	if (check_path(path, err) != 0)
		return -1;
	if (access(platform, X_OK) == 0)
		return 0;
	(void)error_set(err, ERR_NOT_FOUND, "%s is no root file system for machines", path);
	return error_hint(err, "tools/make-machine-root builds one and prints where it is");
}

/* Never lowered, and not put back: who counts on it by then is not known. Where it cannot be
 * raised, a machine that finds none left says so. */
static void raise_inotify_limit(void)
{
	CLEANUP(cleanup_free) char *wanted = xasprintf("%d", INOTIFY_INSTANCES);
	CLEANUP(cleanup_fd) int fd = open(INOTIFY_LIMIT_PATH, O_RDWR | O_CLOEXEC);
	char now[32] = "";
	struct error ignored = {0};

	if (fd < 0 || read(fd, now, sizeof(now) - 1) <= 0 ||
	    strtol(now, NULL, 10) >= INOTIFY_INSTANCES)
		return;
	if (lseek(fd, 0, SEEK_SET) == 0 && fs_write_all(fd, wanted, strlen(wanted), &ignored) < 0)
		error_clear(&ignored);
}

static void cleanup_backend(struct machine_backend **backend)
{
	machine_backend_free(*backend);
}

int machine_backend_new_netns(const struct machine_backend_options *options,
			      struct machine_backend **ret, struct error *err)
{
	if (check_root(err) != 0 || check_path(options->directory, err) != 0 ||
	    check_root_tree(options->root_tree, err) != 0)
		return -1;
	CLEANUP(cleanup_backend) struct machine_backend *backend = xcalloc(1, sizeof(*backend));

	backend->event = sd_event_ref(options->event);
	backend->instance = xstrdup(options->instance);
	backend->directory = xstrdup(options->directory);
	backend->keeps_images = options->keeps_images;
	backend->images = images_new(options->event, options->directory, options->root_tree);
	backend->on_event = options->on_event;
	backend->context = options->context;
	backend->lock_fd = -1;
	if (leftovers_lock(options->instance, &backend->lock_fd, err) != 0 ||
	    leftovers_remove(options->instance, options->directory, err) != 0 ||
	    fs_mkdir_all(options->directory, 0755, err) != 0 ||
	    router_new(options->instance, &backend->router, err) != 0)
		return -1;
	raise_inotify_limit();
	*ret = TAKE_PTR(backend);
	return 0;
}

static struct machine **find(struct machine_backend *backend, int64_t server_id)
{
	struct machine **at = &backend->machines;

	while (*at != NULL && (*at)->server_id != server_id)
		at = &(*at)->next;
	return at;
}

/* Its host is off, or is made to be. */
static void forget(struct machine **at)
{
	struct machine *machine = *at;

	*at = machine->next;
	host_free(machine->host);
	identity_free(machine->start_next);
	free(machine);
}

void machine_backend_free(struct machine_backend *backend)
{
	struct error err;

	if (backend == NULL)
		return;
	while (backend->machines != NULL)
		forget(&backend->machines);
	router_free(backend->router);
	/* Without the lock, an instance of this name may be somebody else's. */
	if (backend->lock_fd >= 0) {
		(void)!leftovers_remove(backend->instance, backend->directory, &err);
		if (!backend->keeps_images)
			(void)!images_keep(backend->images, NULL, 0, &err);
		(void)close(backend->lock_fd);
	}
	(void)sd_event_unref(backend->event);
	free(backend->instance);
	free(backend->directory);
	images_free(backend->images);
	free(backend);
}

int machine_clean_netns(const char *instance, const char *directory, struct error *err)
{
	CLEANUP(cleanup_fd) int lock_fd = -1;

	if (check_root(err) != 0 || check_path(directory, err) != 0 ||
	    leftovers_lock(instance, &lock_fd, err) != 0)
		return -1;
	CLEANUP(cleanup_free) char *images = xasprintf("%s/images", directory);

	if (leftovers_remove(instance, directory, err) != 0)
		return -1;
	return fs_remove_all(AT_FDCWD, images, err);
}

static void on_host_event(void *context, int64_t server_id, enum machine_event event)
{
	struct machine_backend *backend = context;
	struct machine **at = find(backend, server_id);
	struct machine *machine = *at;
	bool is_told = !machine->is_deleted;
	struct error err;

	if (event == MACHINE_STOPPED) {
		/* What cannot be removed now is a leftover for the next start. */
		if (machine->is_deleted)
			(void)!host_erase(machine->host, &err);
		if (machine->is_deleted && machine->start_next == NULL) {
			forget(at);
			return;
		}
		machine->is_deleted = false;
		CLEANUP(cleanup_identity) struct identity *next = TAKE_PTR(machine->start_next);

		if (next != NULL && host_start(machine->host, next, &err) == 0)
			next = NULL;
		else if (next != NULL)
			is_told = true;
	}
	/* Last: the listener may call anything of ours. */
	if (is_told)
		backend->on_event(backend->context, server_id, event);
}

static char *machine_directory(const struct machine_backend *backend, int64_t server_id)
{
	return xasprintf("%s/machines/%" PRId64, backend->directory, server_id);
}

static struct machine *add(struct machine_backend *backend, int64_t server_id)
{
	struct machine *machine = xcalloc(1, sizeof(*machine));
	char name[SPACE_NAME_BYTES];
	CLEANUP(cleanup_free) char *directory = machine_directory(backend, server_id);

	(void)snprintf(name, sizeof(name), "hcs-%s-%" PRId64, backend->instance, server_id);
	const struct host_options options = {
		.event = backend->event,
		.router = backend->router,
		.name = name,
		.directory = directory,
		.images = backend->images,
		.on_event = on_host_event,
		.context = backend,
		.server_id = server_id,
	};

	machine->server_id = server_id;
	machine->host = host_new(&options);
	machine->next = backend->machines;
	backend->machines = machine;
	return machine;
}

int machine_power_on(struct machine_backend *backend, const struct machine_spec *spec,
		     struct error *err)
{
	CLEANUP(cleanup_identity) struct identity *identity = NULL;

	if (identity_new(spec, &identity, err) != 0)
		return -1;
	struct machine *machine = *find(backend, spec->server_id);

	if (machine == NULL)
		machine = add(backend, spec->server_id);
	if (host_is_off(machine->host)) {
		if (host_start(machine->host, identity, err) != 0)
			return -1;
		identity = NULL;
		return 0;
	}
	if (!host_is_dying(machine->host))
		return error_set(err, ERR_CONFLICT, "server %" PRId64 " is on", spec->server_id);
	identity_free(machine->start_next);
	machine->start_next = TAKE_PTR(identity);
	return 0;
}

void machine_power_off(struct machine_backend *backend, int64_t server_id)
{
	struct machine *machine = *find(backend, server_id);

	if (machine == NULL)
		return;
	identity_free(TAKE_PTR(machine->start_next));
	host_kill(machine->host);
}

void machine_shut_down(struct machine_backend *backend, int64_t server_id)
{
	struct machine *machine = *find(backend, server_id);

	if (machine != NULL)
		host_shut_down(machine->host);
}

int machine_attach(struct machine_backend *backend, int64_t server_id,
		   const struct machine_private_net *net, struct error *err)
{
	struct machine *machine = *find(backend, server_id);
	uint64_t slot;

	if (machine == NULL)
		return 0;
	if (machine->start_next != NULL)
		return identity_attach(machine->start_next, net, &slot, err);
	return host_attach(machine->host, net, err);
}

void machine_detach(struct machine_backend *backend, int64_t server_id, int64_t network_id)
{
	struct machine *machine = *find(backend, server_id);

	if (machine == NULL)
		return;
	if (machine->start_next != NULL)
		identity_detach(machine->start_next, network_id);
	else
		host_detach(machine->host, network_id);
}

int machine_set_aliases(struct machine_backend *backend, int64_t server_id, int64_t network_id,
			const char *const *alias_ips, struct error *err)
{
	struct machine *machine = *find(backend, server_id);

	if (machine == NULL)
		return 0;
	if (machine->start_next != NULL)
		return identity_set_aliases(machine->start_next, network_id, alias_ips, err);
	return host_set_aliases(machine->host, network_id, alias_ips, err);
}

int machine_set_routes(struct machine_backend *backend, int64_t network_id,
		       const struct machine_route *routes, uint64_t count, struct error *err)
{
	if (router_set_routes(backend->router, network_id, routes, count, err) != 0)
		return -1;
	for (struct machine *machine = backend->machines; machine != NULL;
	     machine = machine->next) {
		if (host_refresh_routes(machine->host, network_id, err) != 0)
			return -1;
	}
	return 0;
}

void machine_delete(struct machine_backend *backend, int64_t server_id)
{
	struct machine **at = find(backend, server_id);
	struct error err;

	if (*at == NULL)
		return;
	identity_free(TAKE_PTR((*at)->start_next));
	if (host_is_off((*at)->host)) {
		(void)!host_erase((*at)->host, &err); /* as in on_host_event */
		forget(at);
		return;
	}
	(*at)->is_deleted = true;
	host_kill((*at)->host);
}

int machine_partition(struct machine_backend *backend, int64_t server_id, int64_t network_id,
		      bool cut, struct error *err)
{
	struct machine *machine = *find(backend, server_id);

	if (machine == NULL) /* it has never been on */
		machine = add(backend, server_id);
	return host_partition(machine->host, network_id, cut, err);
}

int machine_snapshot(struct machine_backend *backend, int64_t server_id, int64_t base_image_id,
		     int64_t image_id, struct error *err)
{
	CLEANUP(cleanup_free) char *directory = machine_directory(backend, server_id);

	return images_copy(backend->images, image_id, directory, base_image_id, err);
}

enum machine_image_state machine_image_state(const struct machine_backend *backend,
					     int64_t image_id)
{
	return images_state(backend->images, image_id);
}

int machine_keep_images(struct machine_backend *backend, const int64_t *image_ids, uint64_t count,
			struct error *err)
{
	return images_keep(backend->images, image_ids, count, err);
}
