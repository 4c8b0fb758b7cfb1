#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

#define INIT_BYTES_MAX (4U << 20)

static const struct root_bind allow_list[] = {
	{"/usr", true},
	{"/etc/alternatives", true},
	{"/etc/ssl/certs", true},
	{"/etc/ld.so.cache", false},
	{"/etc/localtime", false},
};

static const char *const directories[] = {
	"dev", "etc", "etc/ssl", "home", "proc",    "root",
	"run", "sys", "tmp",	 "var",	 "var/tmp", "work",
};

static const struct {
	const char *path;
	const char *target;
} links[] = {
	{"bin", "usr/bin"},	{"sbin", "usr/sbin"},	{"lib", "usr/lib"},
	{"lib32", "usr/lib32"}, {"lib64", "usr/lib64"}, {"libx32", "usr/libx32"},
};

static const struct {
	const char *path;
	const char *text;
} files[] = {
	{"etc/passwd", "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
		       "job:x:65534:65534:job:/work:/bin/sh\n"},
	{"etc/group", "root:x:0:\njob:x:65534:\n"},
	{"etc/hosts", "127.0.0.1 localhost job\n::1 localhost\n"},
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
	{"etc/resolv.conf", ""}, /* a mount point for jobs with a network */
};

void root_each_bind(void (*visit)(void *context, const struct root_bind *bind), void *context)
{
	for (size_t i = 0; i < ARRAY_SIZE(allow_list); i++) {
		if (access(allow_list[i].path, F_OK) == 0)
			visit(context, &allow_list[i]);
	}
}

static int write_file(int root_fd, const char *path, const char *text, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || fchmod(fd, 0644) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s", path);
	return fs_write_all(fd, text, strlen(text), err);
}

static int make_directory(int root_fd, const char *path, struct error *err)
{
	if ((mkdirat(root_fd, path, 0755) < 0 && errno != EEXIST) ||
	    fchmodat(root_fd, path, 0755, 0) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot create %s", path);
	return 0;
}

static int copy_init(int root_fd, const char *init, struct error *err)
{
	struct buf program;
	buf_init(&program, INIT_BYTES_MAX);
	int result = fs_read(AT_FDCWD, init, &program, err);
	CLEANUP(cleanup_fd)
	int fd = openat(root_fd, &ROOT_INIT[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (result == 0 && (fd < 0 || fchmod(fd, 0755) < 0))
		result = error_set_errno(err, ERR_INTERNAL, errno, "cannot create " ROOT_INIT);
	if (result == 0)
		result = fs_write_all(fd, program.data, program.bytes, err);
	buf_release(&program);
	return result;
}

int root_build(const char *path, const char *init, struct error *err)
{
	if (fs_mkdir_all(path, 0755, err) < 0)
		return -1;
	CLEANUP(cleanup_fd) int root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open %s", path);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		if (make_directory(root_fd, directories[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		if (symlinkat(links[i].target, root_fd, links[i].path) < 0 && errno != EEXIST)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot link %s",
					       links[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (write_file(root_fd, files[i].path, files[i].text, err) < 0)
			return -1;
	}
	if (copy_init(root_fd, init, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(allow_list); i++) {
		const struct root_bind *bind = &allow_list[i];
		int result = bind->is_directory ? make_directory(root_fd, bind->path + 1, err)
						: write_file(root_fd, bind->path + 1, "", err);
		if (result < 0)
			return -1;
	}
	return 0;
}
