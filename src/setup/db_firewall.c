#include "setup/db_firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/spawn.h"
#include "base/str.h"
#include "setup/pg_debian.h"

#define UNIT_NAME "rgrid-db-firewall.service"

/* What `systemctl enable` makes, which works in a rescue system as well. */
static const char *const wants[] = {"/etc/systemd/system/multi-user.target.wants",
				    "/etc/systemd/system/nftables.service.wants"};

/* Where systemd runs, and not another init or a rescue system's. */
#define SYSTEMD_RUNS "/run/systemd/system"

static const char *const list_argv[] = {"nft", "list", "table", "inet", DB_FIREWALL_TABLE, NULL};

static bool file_is(const char *path, const struct buf *wanted)
{
	CLEANUP(cleanup_buf) struct buf text;
	struct error err = {0};

	buf_init(&text, DB_TEXT_BYTES_MAX);
	return fs_read(AT_FDCWD, path, &text, &err) == 0 && text.bytes == wanted->bytes &&
	       memcmp(text.data, wanted->data, text.bytes) == 0;
}

static char *link_path(size_t index)
{
	return xasprintf("%s/" UNIT_NAME, wants[index]);
}

/* Whether systemd would load the table again when nftables.service, which flushes all, is started,
 * restarted or reloaded: it knows the unit, and that it is active. */
static bool systemd_follows(void)
{
	static const char *const argv[] = {"systemctl", "--quiet", "is-active", UNIT_NAME, NULL};
	struct error inactive = {0};

	return access(SYSTEMD_RUNS, F_OK) != 0 || pg_debian_command(argv, &inactive) == 0;
}

static int systemd_told(const char *verb, struct error *err)
{
	const char *const reload[] = {"systemctl", "--quiet", "daemon-reload", NULL};
	const char *const act[] = {"systemctl", "--quiet", verb, UNIT_NAME, NULL};

	if (access(SYSTEMD_RUNS, F_OK) != 0)
		return 0;
	return pg_debian_command(reload, err) < 0 ? -1 : pg_debian_command(act, err);
}

static void make_texts(const struct db_exposure *exposure, struct buf *rules, struct buf *unit,
		       char mark[DB_FIREWALL_MARK_BYTES])
{
	buf_init(rules, DB_TEXT_BYTES_MAX);
	buf_init(unit, DB_TEXT_BYTES_MAX);
	db_exposure_firewall(exposure, rules, mark);
	db_firewall_unit(DB_FIREWALL_RULES_PATH, unit);
}

static bool unit_is_good(const struct buf *unit)
{
	bool good = file_is(DB_FIREWALL_UNIT_PATH, unit);

	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		CLEANUP(cleanup_free) char *path = link_path(i);
		good = good && access(path, F_OK) == 0;
	}
	return good && systemd_follows();
}

/* Whether the kernel's table carries the mark, and as many rules as ours. */
static int look_kernel(const char *mark, struct firewall_state *ret, struct error *err)
{
	struct spawn_options options = {
		.argv = list_argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	CLEANUP(cleanup_buf) struct buf output;
	CLEANUP(cleanup_free) char *comment = xasprintf("comment \"rgrid %s\"", mark);
	size_t rule_count = 0;
	int status = 0;

	buf_init(&output, DB_TEXT_BYTES_MAX);
	if (spawn_wait(&options, &output, &status, err) < 0) {
		(void)error_wrap(err, "nft");
		return error_hint(err, "apt-get install nftables");
	}
	ret->kernel_has = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	for (const char *at = strstr(output.data, "tcp dport"); at != NULL;
	     at = strstr(at + 1, "tcp dport"))
		rule_count++;
	ret->kernel_good = ret->kernel_has && rule_count == DB_FIREWALL_RULES &&
			   strstr(output.data, comment) != NULL &&
			   strstr(output.data, "hook input") != NULL;
	return 0;
}

int db_firewall_look(const struct db_exposure *exposure, struct firewall_state *ret,
		     struct error *err)
{
	CLEANUP(cleanup_buf) struct buf rules;
	CLEANUP(cleanup_buf) struct buf unit;
	char mark[DB_FIREWALL_MARK_BYTES];

	make_texts(exposure, &rules, &unit, mark);
	*ret = (struct firewall_state){
		.file_good = file_is(DB_FIREWALL_RULES_PATH, &rules) && unit_is_good(&unit),
		.file_has = access(DB_FIREWALL_RULES_PATH, F_OK) == 0 ||
			    access(DB_FIREWALL_UNIT_PATH, F_OK) == 0,
	};
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		CLEANUP(cleanup_free) char *path = link_path(i);
		ret->file_has =
			ret->file_has || faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return look_kernel(mark, ret, err);
}

static int install_unit(const struct buf *unit, struct error *err)
{
	if (fs_mkdir_all("/etc/systemd/system", 0755, err) < 0 ||
	    fs_write_atomic(DB_FIREWALL_UNIT_PATH, unit->data, unit->bytes, 0644, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		CLEANUP(cleanup_free) char *path = link_path(i);
		if (fs_mkdir_all(wants[i], 0755, err) < 0)
			return -1;
		if (symlink(DB_FIREWALL_UNIT_PATH, path) != 0 && errno != EEXIST)
			return error_set_errno(err, ERR_INTERNAL, errno, "cannot make %s", path);
	}
	return systemd_told("start", err);
}

int db_firewall_apply(const struct db_exposure *exposure, struct error *err)
{
	static const char *const load_argv[] = {"nft", "-f", DB_FIREWALL_RULES_PATH, NULL};
	CLEANUP(cleanup_buf) struct buf rules;
	CLEANUP(cleanup_buf) struct buf unit;
	char mark[DB_FIREWALL_MARK_BYTES];

	make_texts(exposure, &rules, &unit, mark);
	if (fs_mkdir_all("/etc/nftables.d", 0755, err) < 0 ||
	    fs_write_atomic(DB_FIREWALL_RULES_PATH, rules.data, rules.bytes, 0644, err) < 0 ||
	    pg_debian_command(load_argv, err) < 0)
		return -1;
	return unit_is_good(&unit) ? 0 : install_unit(&unit, err);
}

static int remove_file(const char *path, struct error *err)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	return error_set_errno(err, ERR_INTERNAL, errno, "cannot remove %s", path);
}

int db_firewall_remove(struct error *err)
{
	static const char *const delete_argv[] = {"nft",  "delete",	     "table",
						  "inet", DB_FIREWALL_TABLE, NULL};
	struct firewall_state state = {0};

	if (access(DB_FIREWALL_UNIT_PATH, F_OK) == 0 && systemd_told("stop", err) < 0)
		return -1;
	/* What would load it first: a boot in between is then without, as it will be. */
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		CLEANUP(cleanup_free) char *path = link_path(i);
		if (remove_file(path, err) < 0)
			return -1;
		(void)rmdir(wants[i]); /* only if nothing else is in it */
	}
	if (remove_file(DB_FIREWALL_UNIT_PATH, err) < 0 ||
	    remove_file(DB_FIREWALL_RULES_PATH, err) < 0 || look_kernel("", &state, err) < 0)
		return -1;
	return state.kernel_has ? pg_debian_command(delete_argv, err) : 0;
}
