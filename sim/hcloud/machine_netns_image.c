#include "hcloud/machine_netns_image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "base/str.h"

#define LAYERS_BYTES_MAX 1024
#define NAME_BYTES	 32
/* A file that vanishes while it is copied spoils the copy. */
#define COPY_TRIES 5

/* One that runs, or that has failed. */
struct copy {
	int64_t image_id;
	char *from; /* the machine's disk */
	char *to;   /* the directory that gets the image's name in the end */
	int tries;
	pid_t pid; /* 0: it has failed */
	int pidfd;
	sd_event_source *source;
	struct images *images;
	struct copy *next;
};

struct images {
	sd_event *event;
	char *directory;
	char *root_tree;
	struct copy *copies;
};

struct images *images_new(sd_event *event, const char *directory, const char *root_tree)
{
	struct images *images = xcalloc(1, sizeof(*images));

	images->event = sd_event_ref(event);
	images->directory = xstrdup(directory);
	images->root_tree = xstrdup(root_tree);
	return images;
}

static void copy_stop(struct copy *copy)
{
	if (copy->pid == 0)
		return;
	copy->source = sd_event_source_disable_unref(copy->source);
	(void)kill(copy->pid, SIGKILL);
	(void)waitpid(copy->pid, NULL, 0);
	if (copy->pidfd >= 0)
		(void)close(TAKE_FD(copy->pidfd));
	copy->pid = 0;
}

static void copy_forget(struct copy **at)
{
	struct copy *copy = *at;

	copy_stop(copy);
	*at = copy->next;
	free(copy->from);
	free(copy->to);
	free(copy);
}

void images_free(struct images *images)
{
	if (images == NULL)
		return;
	while (images->copies != NULL)
		copy_forget(&images->copies);
	(void)sd_event_unref(images->event);
	free(images->directory);
	free(images->root_tree);
	free(images);
}

static char *image_directory(const struct images *images, int64_t image_id)
{
	return xasprintf("%s/images/%" PRId64, images->directory, image_id);
}

static int layers_write(const char *directory, const struct layers *layers, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/layers", directory);
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, LAYERS_BYTES_MAX);
	buf_appendf(&text, "%s\n", layers->root_tree);
	for (size_t i = 0; i < layers->count; i++)
		buf_appendf(&text, "%" PRId64 "\n", layers->image_ids[i]);
	return fs_write_atomic(path, text.data, text.bytes, 0644, err);
}

static int layers_read(const char *directory, struct layers *ret, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/layers", directory);
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, LAYERS_BYTES_MAX);
	if (fs_read(AT_FDCWD, path, &text, err) != 0)
		return -1;
	char *rest = text.data;
	const char *root_tree = strsep(&rest, "\n");

	*ret = (struct layers){.count = 0};
	(void)snprintf(ret->root_tree, sizeof(ret->root_tree), "%s", root_tree);
	for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0';) {
		if (ret->count == LAYERS_MAX ||
		    parse_i64(line, 1, INT64_MAX, &ret->image_ids[ret->count++], err) != 0)
			return error_set(err, ERR_INTERNAL, "%s is broken", path);
	}
	return 0;
}

/* What a machine that is made from the image lies on. */
static int layers_on(const struct images *images, int64_t image_id, struct layers *ret,
		     struct error *err)
{
	CLEANUP(cleanup_free) char *directory = image_directory(images, image_id);

	if (image_id == 0) {
		*ret = (struct layers){.count = 0};
		(void)snprintf(ret->root_tree, sizeof(ret->root_tree), "%s", images->root_tree);
		return 0;
	}
	if (access(directory, F_OK) != 0)
		return error_set(err, ERR_NOT_FOUND,
				 "image %" PRId64 " has no disk: it was not made of a machine",
				 image_id);
	if (layers_read(directory, ret, err) != 0)
		return -1;
	if (access(ret->root_tree, F_OK) != 0)
		return error_set(err, ERR_NOT_FOUND, "image %" PRId64 " lies on %s, which is gone",
				 image_id, ret->root_tree);
	if (ret->count == LAYERS_MAX)
		return error_set(err, ERR_TOO_LARGE,
				 "image %" PRId64 " is one of an image of an image, %d deep",
				 image_id, LAYERS_MAX);
	ret->image_ids[ret->count++] = image_id;
	return 0;
}

int images_lay(const struct images *images, int64_t image_id, const char *directory,
	       struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/layers", directory);
	struct layers layers;

	if (access(path, F_OK) == 0)
		return 0;
	if (layers_on(images, image_id, &layers, err) != 0)
		return -1;
	return layers_write(directory, &layers, err);
}

int images_overlay(const struct images *images, const char *directory, char **ret,
		   struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;
	struct layers layers;

	buf_init(&text, 16384);
	if (layers_read(directory, &layers, err) != 0)
		return -1;
	buf_append_str(&text, layers.root_tree);
	for (size_t i = 0; i < layers.count; i++)
		buf_appendf(&text, ":%s/images/%" PRId64 "/disk", images->directory,
			    layers.image_ids[i]);
	buf_appendf(&text, ":%s/disk", directory);
	*ret = buf_detach(&text);
	return 0;
}

static int copy_run(struct copy *copy, struct error *err);

/* The copy is complete, or is made anew, or has failed for good. */
static int on_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct copy *copy = userdata;
	struct images *images = copy->images;
	CLEANUP(cleanup_free) char *disk = xasprintf("%s/disk", copy->to);
	CLEANUP(cleanup_free) char *name = image_directory(images, copy->image_id);
	struct error err;
	int status = 0;

	(void)source;
	(void)fd;
	(void)revents;
	copy->source = sd_event_source_disable_unref(copy->source);
	(void)waitpid(copy->pid, &status, 0);
	(void)close(TAKE_FD(copy->pidfd));
	copy->pid = 0;
	if (status == 0 && rename(copy->to, name) == 0) {
		struct copy **at = &images->copies;

		while (*at != copy)
			at = &(*at)->next;
		copy_forget(at);
		return 0;
	}
	if (status != 0 && ++copy->tries < COPY_TRIES && fs_remove_all(AT_FDCWD, disk, &err) == 0 &&
	    copy_run(copy, &err) == 0)
		return 0;
	(void)!fs_remove_all(AT_FDCWD, copy->to, &err); /* or images_keep does */
	return 0;
}

static int copy_run(struct copy *copy, struct error *err)
{
	const char *const argv[] = {"cp", "-a", "--reflink=auto", "--", copy->from, copy->to, NULL};
	const struct spawn_options options = {
		.argv = argv,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.death_signal = SIGKILL,
	};

	if (spawn(&options, &copy->pid, err) != 0) {
		copy->pid = 0;
		return -1;
	}
	copy->pidfd = (int)syscall(SYS_pidfd_open, copy->pid, 0);
	int rc = copy->pidfd < 0 ? -errno
				 : sd_event_add_io(copy->images->event, &copy->source, copy->pidfd,
						   EPOLLIN, on_end, copy);

	if (rc >= 0)
		return 0;
	copy_stop(copy);
	return error_set_errno(err, ERR_INTERNAL, -rc, "cannot watch cp");
}

/* What is beneath the image, in its directory to be; and its disk, where the machine has none. */
static int prepare(const struct images *images, const char *to, const char *machine_directory,
		   int64_t base_image_id, bool is_empty, struct error *err)
{
	CLEANUP(cleanup_free) char *disk = xasprintf("%s/disk", to);
	struct layers layers;
	struct error ignored;

	if (layers_read(machine_directory, &layers, &ignored) != 0 &&
	    layers_on(images, base_image_id, &layers, err) != 0)
		return -1;
	if (layers.count == LAYERS_MAX)
		return error_set(err, ERR_TOO_LARGE,
				 "the server is made from an image of an image, %d deep",
				 LAYERS_MAX);
	if (fs_remove_all(AT_FDCWD, to, err) != 0 ||
	    fs_mkdir_all(is_empty ? disk : to, 0755, err) != 0)
		return -1;
	return layers_write(to, &layers, err);
}

int images_copy(struct images *images, int64_t image_id, const char *machine_directory,
		int64_t base_image_id, struct error *err)
{
	CLEANUP(cleanup_free) char *from = xasprintf("%s/disk", machine_directory);
	CLEANUP(cleanup_free) char *name = image_directory(images, image_id);
	CLEANUP(cleanup_free) char *to = xasprintf("%s.new", name);
	bool is_empty = access(from, F_OK) != 0;

	if (prepare(images, to, machine_directory, base_image_id, is_empty, err) != 0)
		return -1;
	if (is_empty) {
		if (rename(to, name) == 0)
			return 0;
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make %s", name);
	}
	struct copy *copy = xcalloc(1, sizeof(*copy));

	copy->image_id = image_id;
	copy->from = TAKE_PTR(from);
	copy->to = TAKE_PTR(to);
	copy->pidfd = -1;
	copy->images = images;
	copy->next = images->copies;
	images->copies = copy;
	if (copy_run(copy, err) == 0)
		return 0;
	copy_forget(&images->copies);
	return -1;
}

enum machine_image_state images_state(const struct images *images, int64_t image_id)
{
	CLEANUP(cleanup_free) char *name = image_directory(images, image_id);

	for (const struct copy *copy = images->copies; copy != NULL; copy = copy->next) {
		if (copy->image_id == image_id)
			return copy->pid == 0 ? MACHINE_IMAGE_FAILED : MACHINE_IMAGE_COPYING;
	}
	return access(name, F_OK) == 0 ? MACHINE_IMAGE_READY : MACHINE_IMAGE_ABSENT;
}

struct id_list {
	int64_t *ids;
	size_t count;
};

static void add_id(struct id_list *list, int64_t id)
{
	list->ids = xreallocarray(list->ids, list->count + 1, sizeof(*list->ids));
	list->ids[list->count++] = id;
}

static bool has_id(const struct id_list *list, int64_t id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->ids[i] == id)
			return true;
	}
	return false;
}

static void add_layers(struct id_list *list, const char *directory)
{
	struct layers layers;
	struct error err;

	if (layers_read(directory, &layers, &err) != 0)
		return; /* there is nothing, or nothing that could be used */
	for (size_t i = 0; i < layers.count; i++)
		add_id(list, layers.image_ids[i]);
}

static void add_layers_of_machines(struct id_list *list, const char *backend_directory)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/machines", backend_directory);
	CLEANUP(cleanup_dir) DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		CLEANUP(cleanup_free) char *machine = xasprintf("%s/%s", path, entry->d_name);

		add_layers(list, machine);
	}
}

/* All in images/ but what is needed, and copies that nobody makes any more. */
static int remove_others(struct images *images, const struct id_list *needed, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xasprintf("%s/images", images->directory);
	CLEANUP(cleanup_dir) DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		char digits[NAME_BYTES];
		struct error ignored;
		int64_t id = 0;

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(entry->d_name, "."),
			       entry->d_name);
		if (parse_i64(digits, 1, INT64_MAX, &id, &ignored) == 0 && has_id(needed, id) &&
		    (strchr(entry->d_name, '.') == NULL ||
		     images_state(images, id) == MACHINE_IMAGE_COPYING))
			continue;
		if (fs_remove_all(dirfd(directory), entry->d_name, err) != 0)
			return -1;
	}
	if (needed->count == 0)
		(void)rmdir(path);
	return 0;
}

int images_keep(struct images *images, const int64_t *image_ids, uint64_t count, struct error *err)
{
	struct id_list needed = {.ids = NULL};

	for (uint64_t i = 0; i < count; i++) {
		CLEANUP(cleanup_free) char *directory = image_directory(images, image_ids[i]);

		add_id(&needed, image_ids[i]);
		add_layers(&needed, directory);
	}
	add_layers_of_machines(&needed, images->directory);
	for (struct copy **at = &images->copies; *at != NULL;) {
		if (has_id(&needed, (*at)->image_id))
			at = &(*at)->next;
		else
			copy_forget(at);
	}
	int result = remove_others(images, &needed, err);

	free(needed.ids);
	return result;
}
