#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "sandbox/mount_tree.h"

/* Shown read-only where the host has them. */
static const char *const shown[] = {
	"usr",
	"etc/alternatives",
	"etc/fonts",
	"etc/ld.so.cache",
	"etc/mime.types",
	"etc/protocols",
	"etc/services",
	"etc/ssl/certs",
	"etc/ssl/openssl.cnf",
};

/* Links into /usr on a merged host, else directories to show. */
static const char *const merged[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

static const char *const directories[] = {"dev", "etc/ssl", "proc", "run", "tmp", "var", "work"};

static const struct {
	const char *path;
	const char *text;
} files[] = {
	{"etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\n"
		       "job:x:65534:65534:job:/work:/bin/sh\n"},
	{"etc/group", "root:x:0:\njob:x:65534:\n"},
	{"etc/hostname", "job\n"},
	{"etc/hosts", "127.0.0.1 localhost job\n::1 localhost job\n"},
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"
			      "services: files\nprotocols: files\n"},
	{"etc/resolv.conf", ""},
};

static const struct {
	const char *path;
	const char *target;
} links[] = {
	{"var/tmp", "../tmp"},
	{"etc/mtab", "../proc/self/mounts"},
};

static int write_files(const char *root, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", root, files[i].path);
		CLEANUP(cleanup_fd)
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 || fchmod(fd, 0644) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s", path);
		if (fs_write_all(fd, files[i].text, strlen(files[i].text), err) < 0)
			return error_wrap(err, "%s", path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", root, links[i].path);
		if (symlink(links[i].target, path) < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot link %s", path);
	}
	return 0;
}

static int show(const char *root, const char *name, struct error *err)
{
	CLEANUP(cleanup_free) char *source = xasprintf("/%s", name);
	CLEANUP(cleanup_free) char *target = xasprintf("%s/%s", root, name);
	struct stat status;
	if (stat(source, &status) < 0)
		return 0;
	if (S_ISDIR(status.st_mode)) {
		if (fs_mkdir_all(target, 0755, err) < 0)
			return -1;
	} else {
		CLEANUP(cleanup_fd)
		int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s",
					       target);
	}
	return mount_tree_bind(source, target,
			       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
}

static int link_or_show(const char *root, const char *name, struct error *err)
{
	CLEANUP(cleanup_free) char *source = xasprintf("/%s", name);
	CLEANUP(cleanup_free) char *path = xasprintf("%s/%s", root, name);
	char target[64];
	ssize_t bytes = readlink(source, target, sizeof(target) - 1);
	if (bytes < 0)
		return show(root, name, err);
	target[bytes] = '\0';
	if (symlink(target, path) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot link %s", path);
	return 0;
}

int root_build(const char *path, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		CLEANUP(cleanup_free) char *directory = xasprintf("%s/%s", path, directories[i]);
		if (fs_mkdir_all(directory, 0755, err) < 0)
			return -1;
	}
	if (write_files(path, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(merged); i++) {
		if (link_or_show(path, merged[i], err) < 0)
			return error_wrap(err, "the jobs' root");
	}
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		if (show(path, shown[i], err) < 0)
			return error_wrap(err, "the jobs' root");
	}
	return 0;
}
