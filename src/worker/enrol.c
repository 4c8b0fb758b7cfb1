#include "worker/enrol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "conf/conninfo.h"
#include "store/scram.h"
#include "store/worker_enrol.h"

#define PASSWORD_CHARS 43 /* 256 bits */
#define RETRY_MS       500

struct enrolment {
	const struct enrol_options *options;
	char *path;
	char *own; /* connection string of the machine's own login; NULL: none yet */
};

static int read_own(struct enrolment *enrolment, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, CONNINFO_BYTES_MAX);
	if (access(enrolment->path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (fs_read(AT_FDCWD, enrolment->path, &text, err) < 0)
		return error_wrap(err, "cannot read this machine's login");
	enrolment->own = buf_detach(&text);
	return 0;
}

/* The password that this machine has kept for that user; NULL: none. To be freed. */
static char *kept_password(const struct enrolment *enrolment, const char *user)
{
	CLEANUP(cleanup_free) char *kept_user = NULL;

	if (enrolment->own == NULL)
		return NULL;
	kept_user = conninfo_value(enrolment->own, "user");
	if (kept_user == NULL || !str_eq(kept_user, user))
		return NULL; /* of a worker that this machine, or its image, was before */
	return conninfo_value(enrolment->own, "password");
}

/* All but the password is as in the first login: an address or a CA may have changed since. */
static int make_own(struct enrolment *enrolment, struct error *err)
{
	const char *first = enrolment->options->conninfo;
	CLEANUP(cleanup_free) char *user = conninfo_value(first, "user");
	CLEANUP(cleanup_free) char *password = NULL;
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, CONNINFO_BYTES_MAX);
	if (user == NULL)
		return error_set(err, ERR_INVALID, "the first login has no user");
	password = kept_password(enrolment, user);
	if (password == NULL) {
		password = xcalloc(1, PASSWORD_CHARS + 1);
		base62_random(password, PASSWORD_CHARS);
	}
	if (conninfo_with_login(first, user, password, &text, err) < 0 ||
	    fs_write_atomic(enrolment->path, text.data, text.bytes, 0600, err) < 0)
		return -1;
	free(enrolment->own);
	enrolment->own = buf_detach(&text);
	return 0;
}

static int replace_password(struct enrolment *enrolment, struct error *err)
{
	CLEANUP(cleanup_free) char *password = conninfo_value(enrolment->own, "password");
	char verifier[SCRAM_VERIFIER_BYTES];
	struct error refused = {0};

	if (password == NULL)
		return error_set(err, ERR_INVALID, "%s holds no login", enrolment->path);
	scram_verifier_random(password, verifier);
	if (worker_enrol_do(enrolment->options->conninfo, verifier, &refused) == 0)
		return 0;
	/* An earlier sending of ours, whose answer was lost, may have been the one that did it. */
	if (refused.code == ERR_FORBIDDEN && worker_enrol_probe(enrolment->own, err) == 0)
		return 0;
	*err = refused;
	return -1;
}

static int enrol_once(struct enrolment *enrolment, struct error *err)
{
	if (worker_enrol_probe(enrolment->own, err) == 0)
		return 0;
	if (err->code != ERR_UNAUTHENTICATED || enrolment->options->conninfo == NULL)
		return -1;
	if (worker_enrol_probe(enrolment->options->conninfo, err) < 0)
		return error_wrap(err, "cannot enrol");
	if (replace_password(enrolment, err) < 0)
		return error_wrap(err, "cannot enrol");
	log_info("worker.enrolled");
	return 0;
}

static int enrol_patiently(struct enrolment *enrolment, struct error *err)
{
	uint64_t deadline_ms = clock_boottime_ms() + enrolment->options->patience_ms;
	uint64_t refused_since_ms = 0; /* without a break; 0: not refused */
	bool is_told = false;

	while (enrol_once(enrolment, err) < 0) {
		uint64_t now_ms = clock_boottime_ms();

		if (err->code != ERR_UNAUTHENTICATED)
			refused_since_ms = 0;
		else if (refused_since_ms == 0)
			refused_since_ms = now_ms;
		if ((err->code != ERR_UNAVAILABLE && err->code != ERR_UNAUTHENTICATED) ||
		    now_ms >= deadline_ms || str_eq(err->sqlstate, WORKER_ENROL_DEAD) ||
		    (refused_since_ms != 0 &&
		     now_ms - refused_since_ms >= enrolment->options->refused_ms))
			return -1;
		if (!is_told)
			log_warning("worker.waiting_to_enrol", F_ERROR(err));
		is_told = true;
		(void)poll(NULL, 0, RETRY_MS + (int)rand_below(RETRY_MS));
	}
	return 0;
}

int enrol(const struct enrol_options *options, char **ret_conninfo, struct error *err)
{
	struct enrolment enrolment = {.options = options,
				      .path = xasprintf("%s/login", options->state_directory)};
	int result = fs_mkdir_all(options->state_directory, 0700, err);

	if (result == 0)
		result = read_own(&enrolment, err);
	if (result == 0 && options->conninfo != NULL)
		result = make_own(&enrolment, err);
	else if (result == 0 && enrolment.own == NULL)
		result = error_set(err, ERR_INVALID,
				   "this machine has no login to the database yet, and was given "
				   "none to begin with");
	if (result == 0)
		result = enrol_patiently(&enrolment, err);
	if (result == 0)
		*ret_conninfo = TAKE_PTR(enrolment.own);
	free(enrolment.own);
	free(enrolment.path);
	return result;
}
