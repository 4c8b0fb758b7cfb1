#include "setup/db_expose_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "setup/db_firewall.h"
#include "setup/db_proof.h"

#define ADDRESS_PATH	  "/etc/sysctl.d/60-rgrid-db.conf"
#define ADDRESS_LIVE_PATH "/proc/sys/net/ipv4/ip_nonlocal_bind"
static const char address_text[] =
	"# Written by rgrid db expose; rgrid db expose --undo removes it.\n"
	"net.ipv4.ip_nonlocal_bind = 1\n";

PRINTF_FORMAT(2, 3) static void note(struct db_task *task, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(task->note, sizeof(task->note), format, args);
	va_end(args);
}

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int64_t changed_wall_us(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return 0;
	return (int64_t)status.st_ctim.tv_sec * 1000000 + status.st_ctim.tv_nsec / 1000;
}

/* Durably: the certificate goes after the configuration that names it, and must not be gone before
 * that is when the power fails. */
static int remove_file(const char *path, struct error *err)
{
	CLEANUP(cleanup_free)
	char *directory = xstrndup(path, (size_t)(fs_basename(path) - path));
	CLEANUP(cleanup_fd) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || (unlink(path) != 0 && errno != ENOENT) || fsync(fd) != 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot remove %s", path);
	return 0;
}

static int look_authority(struct db_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	note(task, "private CA %s", task->paths.ca);
	*ret_needed = !exists(task->paths.ca);
	return 0;
}

static int apply_authority(struct db_task *task, struct error *err)
{
	return pki_ca_ensure(task->pki_dir, NULL, err);
}

static int look_pem(struct db_task *task, const char *path, bool *ret_needed, struct error *err)
{
	enum pki_state state = PKI_ABSENT;
	int64_t expires = 0;

	if (exists(path) &&
	    pki_server_check(task->pki_dir, path, &task->names, &state, &expires, err) < 0)
		return -1;
	*ret_needed = state != PKI_GOOD || task->options->rotate_certificate;
	char text[16] = "";
	time_t seconds = (time_t)(expires / 1000000);
	struct tm when = {0};
	if (gmtime_r(&seconds, &when) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%d", &when);
	if (*ret_needed)
		note(task, "certificate for %s in %s", task->exposure.ip, path);
	else
		note(task, "certificate for %s in %s, good until %s", task->exposure.ip, path,
		     text);
	return 0;
}

static int look_certificate(struct db_task *task, bool *ret_needed, struct error *err)
{
	return look_pem(task, task->paths.pem, ret_needed, err);
}

static int apply_certificate(struct db_task *task, struct error *err)
{
	return pki_server_issue(task->pki_dir, task->paths.pem, &task->names, task->cluster.uid,
				task->cluster.gid, err);
}

/* The API's own: it must not hold the database's key. Root's, since systemd hands it over. */
static int look_api_certificate(struct db_task *task, bool *ret_needed, struct error *err)
{
	return look_pem(task, task->paths.api_pem, ret_needed, err);
}

static int apply_api_certificate(struct db_task *task, struct error *err)
{
	return pki_server_issue(task->pki_dir, task->paths.api_pem, &task->names, 0, 0, err);
}

static int look_firewall(struct db_task *task, bool *ret_needed, struct error *err)
{
	struct firewall_state state = {0};

	note(task,
	     "firewall table inet " DB_FIREWALL_TABLE ": ports %u and %u from loopback and, at %s, "
	     "from %s%s",
	     (unsigned)task->exposure.port, (unsigned)task->exposure.api_port, task->exposure.ip,
	     task->exposure.source_count > 0 ? task->exposure.sources[0] : "nowhere",
	     task->exposure.source_count > 1 ? ", …" : "");
	if (db_firewall_look(&task->exposure, &state, err) < 0)
		return -1;
	*ret_needed = !state.file_good || !state.kernel_good;
	return 0;
}

static int apply_firewall(struct db_task *task, struct error *err)
{
	return db_firewall_apply(&task->exposure, err);
}

static void read_or_empty(const char *path, struct buf *out)
{
	struct error err = {0};

	buf_init(out, DB_TEXT_BYTES_MAX);
	if (fs_read(AT_FDCWD, path, out, &err) < 0)
		buf_clear(out);
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

/* The private interface of a server at Hetzner comes up by itself, late, and no target of systemd
 * waits for it: a PostgreSQL that started before would listen on localhost alone until somebody
 * restarts it. It may listen on an address that is still to come. */
static int look_address(struct db_task *task, bool *ret_needed, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf now;

	(void)err;
	note(task, "sysctl in " ADDRESS_PATH ": PostgreSQL may start before %s is there",
	     task->exposure.ip);
	read_or_empty(ADDRESS_PATH, &now);
	*ret_needed = !str_eq(now.data, address_text);
	return 0;
}

static int apply_address(struct db_task *task, struct error *err)
{
	CLEANUP(cleanup_fd) int fd = open(ADDRESS_LIVE_PATH, O_WRONLY | O_CLOEXEC);

	struct error ignored = {0};

	(void)task;
	/* The boot is what it is for: where the kernel does not take it now, that is no fault. */
	if (fd >= 0 && fs_write_all(fd, "1", 1, &ignored) < 0)
		error_clear(&ignored);
	if (fs_mkdir_all("/etc/sysctl.d", 0755, err) < 0)
		return -1;
	return fs_write_atomic(ADDRESS_PATH, address_text, strlen(address_text), 0644, err);
}

static int look_settings(struct db_task *task, bool *ret_needed, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf now;
	CLEANUP(cleanup_buf) struct buf wanted;

	(void)err;
	note(task, "settings in %s", task->paths.conf);
	read_or_empty(task->paths.conf, &now);
	buf_init(&wanted, DB_TEXT_BYTES_MAX);
	db_exposure_conf(&task->exposure, &wanted);
	*ret_needed = !same(&now, &wanted);
	return 0;
}

/* A restart makes live whatever waits for one. */
static int check_conf(const struct db_task *task, struct error *err)
{
	CLEANUP(cleanup_free) char *wanted = xasprintf("localhost,%s", task->exposure.ip);
	bool restarts = !str_eq(task->in_force.listen_addresses, wanted);

	if (pg_debian_conf_check(&task->cluster, restarts, err) < 0)
		return -1;
	return pg_debian_conf_obeyed(&task->cluster, task->paths.conf, err);
}

/* PostgreSQL says of the files on disk what it would take, before it takes anything: what it would
 * not obey, or not start with, is taken away again and was never in force. */
static int apply_settings(struct db_task *task, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf before;
	CLEANUP(cleanup_buf) struct buf text;
	CLEANUP(cleanup_free) char *directory = xasprintf("%s/conf.d", task->cluster.config);
	const char *path = task->paths.conf;
	struct error second = {0};

	read_or_empty(path, &before);
	buf_init(&text, DB_TEXT_BYTES_MAX);
	db_exposure_conf(&task->exposure, &text);
	if (fs_mkdir_all(directory, 0755, err) < 0 ||
	    fs_write_atomic(path, text.data, text.bytes, 0644, err) < 0)
		return -1;
	if (check_conf(task, err) == 0)
		return 0;
	if ((before.bytes > 0 ? fs_write_atomic(path, before.data, before.bytes, 0644, &second)
			      : remove_file(path, &second)) < 0)
		return error_hint(err, "%s could not be taken back: %s", path, second.msg);
	return -1;
}

/* The file as it is and as it is to be: with our block, or without. */
static int hba_texts(const struct db_task *task, bool with, struct buf *now, struct buf *wanted,
		     struct error *err)
{
	CLEANUP(cleanup_buf) struct buf block;

	buf_init(now, DB_TEXT_BYTES_MAX);
	buf_init(wanted, 2 * DB_TEXT_BYTES_MAX);
	buf_init(&block, DB_TEXT_BYTES_MAX);
	if (with)
		db_exposure_hba(&task->exposure, &block);
	if (fs_read(AT_FDCWD, task->paths.hba, now, err) < 0)
		return -1;
	return db_hba_set(now->data, now->bytes, block.data, wanted, err);
}

static int look_hba_of(struct db_task *task, bool with, bool *ret_needed, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf now = {0};
	CLEANUP(cleanup_buf) struct buf wanted = {0};

	note(task, "the marked block in %s", task->paths.hba);
	if (hba_texts(task, with, &now, &wanted, err) < 0)
		return -1;
	*ret_needed = !same(&now, &wanted);
	return 0;
}

/* PostgreSQL reads the file on disk for pg_hba_file_rules, but obeys it only once told to reload:
 * what is found wrong in between is put back and was never in force. */
static int apply_hba_of(struct db_task *task, bool with, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf now = {0};
	CLEANUP(cleanup_buf) struct buf wanted = {0};
	struct error second = {0};

	if (hba_texts(task, with, &now, &wanted, err) < 0)
		return -1;
	if (with && pg_debian_hba_check(&task->cluster, err) < 0) {
		(void)error_hint(err, "mend that line first; the file was not touched");
		return -1;
	}
	if (with && fs_write_atomic(task->paths.hba_backup, now.data, now.bytes, 0600, err) < 0)
		return -1;
	if (fs_replace(task->paths.hba, wanted.data, wanted.bytes, 0640, err) < 0)
		return -1;
	if (pg_debian_hba_check(&task->cluster, err) == 0)
		return 0;
	if (fs_replace(task->paths.hba, now.data, now.bytes, 0640, &second) < 0)
		return error_hint(err, "%s could not be put back: it is in %s", task->paths.hba,
				  task->paths.hba_backup);
	return error_hint(err, "%s is as it was before", task->paths.hba);
}

static int look_hba(struct db_task *task, bool *ret_needed, struct error *err)
{
	return look_hba_of(task, true, ret_needed, err);
}

static int apply_hba(struct db_task *task, struct error *err)
{
	return apply_hba_of(task, true, err);
}

static int look_reload(struct db_task *task, bool *ret_needed, struct error *err)
{
	int64_t loaded = task->in_force.load_wall_us;

	(void)err;
	note(task, "PostgreSQL reads its configuration again");
	*ret_needed = changed_wall_us(task->paths.conf) >= loaded ||
		      changed_wall_us(task->paths.hba) >= loaded ||
		      changed_wall_us(task->paths.pem) >= loaded ||
		      !str_eq(task->in_force.cert_file, task->paths.pem);
	return 0;
}

static int apply_reload(struct db_task *task, struct error *err)
{
	return pg_debian_reload(&task->cluster, err);
}

static int look_restart(struct db_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	note(task, "PostgreSQL restarts: it listens elsewhere than it should");
	*ret_needed = task->in_force.listen_pending;
	if (!*ret_needed) {
		CLEANUP(cleanup_free) char *wanted = xasprintf("localhost,%s", task->exposure.ip);
		struct listening listening = {0};
		/* The address came after PostgreSQL had started. */
		if (db_listening(task->exposure.ip, task->cluster.port, &listening, err) < 0)
			return -1;
		*ret_needed = str_eq(task->in_force.listen_addresses, wanted) && !listening.on_ip;
	}
	if (!*ret_needed)
		note(task, "PostgreSQL needs no restart");
	return 0;
}

/* One that does not start with our settings starts without them. */
static int apply_restart(struct db_task *task, struct error *err)
{
	struct error second = {0};

	if (pg_debian_conf_check(&task->cluster, true, err) < 0)
		return -1;
	if (pg_debian_restart(&task->cluster, err) == 0)
		return 0;
	if (remove_file(task->paths.conf, &second) < 0 ||
	    pg_debian_restart(&task->cluster, &second) < 0)
		return error_hint(err, "it does not start without %s either: %s", task->paths.conf,
				  second.msg);
	return error_hint(err, "%s was taken away again, and PostgreSQL runs as before",
			  task->paths.conf);
}

static int look_proof(struct db_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	note(task,
	     "proof: listening on localhost and %s alone, TLS under our CA, no login "
	     "without it",
	     task->exposure.ip);
	*ret_needed = true;
	return 0;
}

static int apply_proof(struct db_task *task, struct error *err)
{
	const struct db_exposure *exposure = &task->exposure;
	CLEANUP(cleanup_free) char *wanted = xasprintf("localhost,%s", exposure->ip);
	struct listening listening = {0};

	if (pg_debian_conf_obeyed(&task->cluster, task->paths.conf, err) < 0)
		return -1;
	if (!str_eq(task->in_force.cert_file, task->paths.pem) ||
	    !str_eq(task->in_force.listen_addresses, wanted) || !task->in_force.ssl ||
	    !str_eq(task->in_force.password_encryption, "scram-sha-256")) {
		(void)error_set(err, ERR_CONFLICT, "PostgreSQL does not obey %s", task->paths.conf);
		return error_hint(err, "listen_addresses is of: %s; see pg_ctl.conf beside, too",
				  task->in_force.listen_source);
	}
	if (db_listening(exposure->ip, exposure->port, &listening, err) < 0)
		return -1;
	if (listening.elsewhere)
		return error_set(err, ERR_CONFLICT, "something listens on %s port %u, too",
				 listening.other, (unsigned)exposure->port);
	if (!listening.on_ip || !listening.on_loopback)
		return error_set(err, ERR_CONFLICT, "PostgreSQL does not listen on %s port %u",
				 listening.on_ip ? "localhost" : exposure->ip,
				 (unsigned)exposure->port);
	if (db_proof_tls(exposure->ip, exposure->port, task->paths.ca, err) < 0)
		return -1;
	return db_proof_plain_refused(exposure->ip, exposure->port, exposure->database, err);
}

const struct db_step db_expose_steps[] = {
	{"authority", look_authority, apply_authority},
	{"certificate", look_certificate, apply_certificate},
	{"api-certificate", look_api_certificate, apply_api_certificate},
	{"firewall", look_firewall, apply_firewall},
	{"address", look_address, apply_address},
	{"settings", look_settings, apply_settings},
	{"hba", look_hba, apply_hba},
	{"reload", look_reload, apply_reload},
	{"restart", look_restart, apply_restart},
	{"proof", look_proof, apply_proof},
};
const size_t db_expose_step_count = ARRAY_SIZE(db_expose_steps);

static int undo_look_settings(struct db_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	note(task, "settings in %s", task->paths.conf);
	*ret_needed = exists(task->paths.conf);
	return 0;
}

static int undo_settings(struct db_task *task, struct error *err)
{
	if (pg_debian_conf_check(&task->cluster, true, err) < 0)
		return -1;
	return remove_file(task->paths.conf, err);
}

static int undo_look_hba(struct db_task *task, bool *ret_needed, struct error *err)
{
	return look_hba_of(task, false, ret_needed, err);
}

static int undo_hba(struct db_task *task, struct error *err)
{
	return apply_hba_of(task, false, err);
}

static int undo_look_reload(struct db_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	note(task, "PostgreSQL reads its configuration again");
	*ret_needed = str_eq(task->in_force.cert_file, task->paths.pem) ||
		      changed_wall_us(task->paths.hba) >= task->in_force.load_wall_us;
	return 0;
}

static int undo_look_restart(struct db_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	note(task, "PostgreSQL restarts: it listens elsewhere than it should");
	*ret_needed = task->in_force.listen_pending;
	return 0;
}

static int undo_restart(struct db_task *task, struct error *err)
{
	if (pg_debian_conf_check(&task->cluster, true, err) < 0)
		return -1;
	return pg_debian_restart(&task->cluster, err);
}

static int undo_look_firewall(struct db_task *task, bool *ret_needed, struct error *err)
{
	struct firewall_state state = {0};

	note(task, "firewall table inet " DB_FIREWALL_TABLE);
	if (db_firewall_look(&task->exposure, &state, err) < 0)
		return -1;
	*ret_needed = state.kernel_has || state.file_has;
	return 0;
}

static int undo_firewall(struct db_task *task, struct error *err)
{
	(void)task;
	return db_firewall_remove(err);
}

static int undo_look_files(struct db_task *task, bool *ret_needed, struct error *err)
{
	(void)err;
	note(task, "certificates %s, %s; the CA stays", task->paths.pem, task->paths.api_pem);
	*ret_needed = exists(task->paths.pem) || exists(task->paths.api_pem) ||
		      exists(task->paths.hba_backup) || exists(ADDRESS_PATH);
	return 0;
}

static int undo_files(struct db_task *task, struct error *err)
{
	if (remove_file(task->paths.pem, err) < 0 || remove_file(task->paths.api_pem, err) < 0 ||
	    remove_file(ADDRESS_PATH, err) < 0)
		return -1;
	return remove_file(task->paths.hba_backup, err);
}

/* Back in reverse: what listens goes before what guards it. */
const struct db_step db_undo_steps[] = {
	{"settings", undo_look_settings, undo_settings},
	{"reload", undo_look_reload, apply_reload},
	{"restart", undo_look_restart, undo_restart},
	{"hba", undo_look_hba, undo_hba},
	{"reload-hba", undo_look_reload, apply_reload},
	{"firewall", undo_look_firewall, undo_firewall},
	{"certificate", undo_look_files, undo_files},
};
const size_t db_undo_step_count = ARRAY_SIZE(db_undo_steps);
