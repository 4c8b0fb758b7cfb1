#include "setup/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "base/str.h"
#include "blob/blob.h"

#define OUTPUT_BYTES_MAX ((size_t)256 * 1024) /* of a program that we ask */
#define LIBRARIES_MAX	 256
#define INPUTS_MAX	 (LIBRARIES_MAX + 4)
#define PIECE_BYTES	 ((size_t)32 * 1024)
/* The second is where machines have it (packaging/worker/boot.sh): crun runs a copy of itself in
 * memory, which is in no directory. */
#define LIBRARY_DIRECTORIES "$ORIGIN/../lib:/opt/rgrid/current/lib"

/* Everything of one call; the work directory goes with it. */
struct making {
	const struct bundle_options *options;
	char *directory;	  /* bin, lib, and the archive; NULL: what goes in is only listed */
	char *inputs[INPUTS_MAX]; /* where it comes from */
	size_t input_count;
	char *libraries[LIBRARIES_MAX];
	unsigned library_count, program_count;
};

static void making_release(struct making *making)
{
	struct error ignored; /* a temporary directory that stays harms nobody */

	if (making->directory != NULL)
		(void)!fs_remove_all(AT_FDCWD, making->directory, &ignored);
	free(making->directory);
	for (unsigned i = 0; i < making->library_count; i++)
		free(making->libraries[i]);
	for (size_t i = 0; i < making->input_count; i++)
		free(making->inputs[i]);
}
#define cleanup_making making_release

static int run(const char *const argv[], struct buf *output, struct error *err)
{
	const struct spawn_options options = {
		.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	int status;

	buf_clear(output);
	if (spawn_wait(&options, output, &status, err) < 0)
		return -1;
	if (status != 0)
		return error_set(err, ERR_UNAVAILABLE, "%s failed: %s", argv[0],
				 output->bytes > 0 ? output->data : "it says nothing");
	return 0;
}

static int need_program(const char *name, const char *package, char ret[PATH_MAX],
			struct error *err)
{
	if (spawn_find(name, ret, err) == 0)
		return 0;
	/* Not in the PATH of ordinary users. */
	(void)snprintf(ret, PATH_MAX, "/usr/sbin/%s", name);
	if (access(ret, X_OK) == 0)
		return 0;
	(void)error_set(err, ERR_NOT_FOUND, "%s is not installed, which the bundle needs", name);
	return error_hint(err, "apt-get install %s", package);
}

/* The C library is bound to the machine's kernel, loader and name services: never ours. */
static bool is_of_the_machine(const char *library)
{
	static const char *const names[] = {"libc.so.",	   "libm.so.",	     "libdl.so.",
					    "librt.so.",   "libpthread.so.", "libresolv.so.",
					    "libutil.so.", "libanl.so.",     "ld-linux"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_has_prefix(library, names[i]))
			return true;
	}
	return false;
}

/* Puts it into bin or lib. */
static int take(struct making *making, const char *from, const char *to, const char *mode,
		struct error *err)
{
	CLEANUP(cleanup_buf) struct buf said;
	const char *const argv[] = {"install", "-m", mode, from, to, NULL};

	buf_init(&said, OUTPUT_BYTES_MAX);
	CHECK(making->input_count < INPUTS_MAX);
	making->inputs[making->input_count++] = xstrdup(from);
	if (making->directory == NULL)
		return 0;
	return run(argv, &said, err);
}

static bool has_library(const struct making *making, const char *name)
{
	for (unsigned i = 0; i < making->library_count; i++) {
		if (str_eq(making->libraries[i], name))
			return true;
	}
	return false;
}

/* To be freed. */
static char *target(const struct making *making, const char *kind, const char *name)
{
	return xasprintf("%s/%s/%s", making->directory != NULL ? making->directory : "", kind,
			 name);
}

static int add_library(struct making *making, const char *name, const char *path, struct error *err)
{
	if (is_of_the_machine(name) || has_library(making, name))
		return 0;
	if (making->library_count == LIBRARIES_MAX)
		return error_set(err, ERR_TOO_LARGE, "a bundle has at most %d libraries",
				 LIBRARIES_MAX);
	CLEANUP(cleanup_free) char *to = target(making, "lib", name);

	making->libraries[making->library_count++] = xstrdup(name);
	return take(making, path, to, "0644", err);
}

/* A line of ldd(1): "libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)", the loader's without an
 * arrow, or "libz.so.1 => not found". */
static int take_line(struct making *making, const char *program, char *line, struct error *err)
{
	char *arrow = strstr(line, " => ");
	char *name = line + strspn(line, " \t");

	if (arrow == NULL)
		return 0;
	*arrow = '\0';
	char *path = arrow + strlen(" => ");

	path[strcspn(path, " ")] = '\0';
	if (path[0] != '/' || strchr(name, '/') != NULL)
		return error_set(err, ERR_NOT_FOUND, "%s needs the library %s, which is not here",
				 program, name);
	return add_library(making, name, path, err);
}

/* With all that those libraries load in turn. */
static int add_libraries(struct making *making, const char *program, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf output;
	const char *const argv[] = {"ldd", program, NULL};

	buf_init(&output, OUTPUT_BYTES_MAX);
	if (run(argv, &output, err) < 0)
		return -1;
	for (char *rest = output.data, *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (take_line(making, program, line, err) < 0)
			return -1;
	}
	return 0;
}

static int add_program(struct making *making, const char *name, const char *path, bool is_static,
		       struct error *err)
{
	CLEANUP(cleanup_buf) struct buf said;
	CLEANUP(cleanup_free) char *to = target(making, "bin", name);
	/* Of the two ways to tell a program where its libraries are, the one that holds for those
	 * that its libraries load as well. */
	const char *const argv[] = {
		"patchelf", "--force-rpath", "--set-rpath", LIBRARY_DIRECTORIES, to, NULL};

	buf_init(&said, OUTPUT_BYTES_MAX);
	making->program_count++;
	if (take(making, path, to, "0755", err) < 0)
		return -1;
	if (is_static)
		return 0;
	if (add_libraries(making, path, err) < 0)
		return -1;
	return making->directory == NULL ? 0 : run(argv, &said, err);
}

static int find_own(const struct making *making, const char *name, const char *elsewhere,
		    char ret[PATH_MAX], struct error *err)
{
	const char *directory = making->options->program_directory;

	(void)snprintf(ret, PATH_MAX, "%s/%s", directory, name);
	if (access(ret, X_OK) == 0)
		return 0;
	(void)snprintf(ret, PATH_MAX, "%s/%s/%s", directory, elsewhere, name);
	if (access(ret, X_OK) == 0)
		return 0;
	return error_set(err, ERR_NOT_FOUND, "%s is not beside this program, in %s", name,
			 directory);
}

static int add_programs(struct making *making, struct error *err)
{
	char path[PATH_MAX];

	if (find_own(making, "rgrid-worker", ".", path, err) < 0 ||
	    add_program(making, "rgrid-worker", path, false, err) < 0 ||
	    find_own(making, "rgrid-sandbox-init", "../libexec/rgrid", path, err) < 0 ||
	    add_program(making, "rgrid-sandbox-init", path, true, err) < 0)
		return -1;
	if (need_program("crun", "crun", path, err) < 0 ||
	    add_program(making, "crun", path, false, err) < 0 ||
	    need_program("nft", "nftables", path, err) < 0 ||
	    add_program(making, "nft", path, false, err) < 0)
		return -1;
	return 0;
}

static int lay_out(struct making *making, struct error *err)
{
	char template[] = "/tmp/rgrid-bundle.XXXXXX";
	char tool[PATH_MAX];

	if (need_program("patchelf", "patchelf", tool, err) < 0)
		return -1;
	if (mkdtemp(template) == NULL)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make %s", template);
	making->directory = xstrdup(template);
	CLEANUP(cleanup_free) char *programs = xasprintf("%s/bin", making->directory);
	CLEANUP(cleanup_free) char *libraries = xasprintf("%s/lib", making->directory);

	if (fs_mkdir_all(programs, 0755, err) < 0 || fs_mkdir_all(libraries, 0755, err) < 0)
		return -1;
	return add_programs(making, err);
}

/* Nothing of when, where or by whom it was made is in it. */
static int pack(const struct making *making, const char *archive, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf said;
	const char *const argv[] = {"tar",
				    "--create",
				    "--directory",
				    making->directory,
				    "--format=ustar",
				    "--sort=name",
				    "--mtime=@0",
				    "--owner=0",
				    "--group=0",
				    "--numeric-owner",
				    "--mode=u=rwX,go=rX",
				    "--use-compress-program=gzip --no-name",
				    "--file",
				    archive,
				    "bin",
				    "lib",
				    NULL};

	buf_init(&said, OUTPUT_BYTES_MAX);
	return run(argv, &said, err);
}

/* Of the directory, or where it will be made. */
static int owner_of(const char *directory, struct stat *ret, struct error *err)
{
	CLEANUP(cleanup_free) char *path = xstrdup(directory);

	while (stat(path, ret) < 0) {
		char *slash = strrchr(path, '/');

		if (errno == EACCES) {
			(void)error_set_errno(err, ERR_FORBIDDEN, errno, "cannot look at %s",
					      directory);
			return error_hint(err, "run it as root, or as the user of the API");
		}
		if (errno != ENOENT || slash == NULL || slash == path)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot look at %s",
					       directory);
		*slash = '\0';
	}
	return 0;
}

static int store_bytes(struct blob_writer *writer, int fd, struct error *err)
{
	char piece[PIECE_BYTES];
	ssize_t bytes;

	while ((bytes = read(fd, piece, sizeof(piece))) > 0) {
		if (blob_writer_append(writer, piece, (size_t)bytes, err) < 0)
			return -1;
	}
	if (bytes < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot read the bundle");
	return 0;
}

static int store(const char *blob_directory, int fd, struct bundle *ret, struct error *err)
{
	struct blob_store *blobs = NULL;
	struct blob_writer *writer = NULL;
	uint8_t digest[SHA256_BYTES];
	int result;

	if (blob_store_open(blob_directory, &blobs, err) < 0)
		return -1;
	result = blob_writer_new(blobs, &writer, err);
	if (result == 0 && store_bytes(writer, fd, err) < 0) {
		blob_writer_abort(writer);
		result = -1;
	} else if (result == 0) {
		result = blob_writer_commit(writer, NULL, digest, &ret->bytes, err);
	}
	blob_store_free(blobs);
	if (result == 0)
		sha256_to_hex(digest, ret->sha256);
	return result;
}

/* Root's files would be closed to the API, which is somebody else. */
static int store_as_owner(const char *blob_directory, const char *archive, struct bundle *ret,
			  struct error *err)
{
	CLEANUP(cleanup_fd) int fd = open(archive, O_RDONLY | O_CLOEXEC);
	bool is_root = geteuid() == 0;
	struct stat owner;

	if (fd < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot open the bundle");
	if (owner_of(blob_directory, &owner, err) < 0)
		return -1;
	if (is_root && (setegid(owner.st_gid) < 0 || seteuid(owner.st_uid) < 0))
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot act for the owner of %s",
				       blob_directory);
	int result = store(blob_directory, fd, ret, err);

	if (is_root && (seteuid(0) < 0 || setegid(0) < 0))
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot become root again");
	return result;
}

int bundle_inputs(const struct bundle_options *options, struct server_stamp *ret, struct error *err)
{
	CLEANUP(cleanup_making) struct making making = {.options = options};

	if (add_programs(&making, err) < 0)
		return -1;
	return server_stamp_make(LIBRARY_DIRECTORIES, (const char *const *)making.inputs,
				 making.input_count, ret, err);
}

bool bundle_is_stored(const char *blob_directory, const char *sha256, uint64_t *ret_bytes)
{
	uint8_t digest[SHA256_BYTES];
	struct stat status;

	if (!sha256_from_hex(sha256, digest))
		return false;
	/* As blob/blob.h says. Opening the store would sweep it, which is more than a look. */
	CLEANUP(cleanup_free)
	char *path = xasprintf("%s/objects/%.2s/%s", blob_directory, sha256, sha256 + 2);
	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
		return false;
	*ret_bytes = (uint64_t)status.st_size;
	return true;
}

int bundle_make(const struct bundle_options *options, struct bundle *ret, struct error *err)
{
	CLEANUP(cleanup_making) struct making making = {.options = options};

	*ret = (struct bundle){0};
	if (lay_out(&making, err) < 0)
		return -1;
	CLEANUP(cleanup_free)
	char *archive = xasprintf("%s/bundle.tar.gz", making.directory);

	if (pack(&making, archive, err) < 0 ||
	    store_as_owner(options->blob_directory, archive, ret, err) < 0)
		return -1;
	ret->programs = making.program_count;
	ret->libraries = making.library_count;
	return 0;
}
