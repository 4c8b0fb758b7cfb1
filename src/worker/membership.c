#include "worker/membership.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "core/limits.h"
#include "worker/timer.h"

struct membership {
	struct membership_options options;
	bool held;
	bool joining;
	bool beat_in_flight;
	bool beat_again;    /* somebody was cancelled since it was sent */
	uint64_t sent_ms;   /* the heartbeat or join in flight */
	uint64_t proved_ms; /* when the last one that was answered had been sent */
	struct timer beat;
	struct timer fence;
};

static void arm_fence(struct membership *membership)
{
	uint64_t silent_ms = clock_boottime_ms() - membership->proved_ms;

	timer_arm(&membership->fence, silent_ms < SELF_FENCE_MS ? SELF_FENCE_MS - silent_ms : 0);
}

static void call_failed(struct membership *membership, const struct error *err)
{
	if (err->code == ERR_FORBIDDEN)
		membership_fence(membership, err->msg);
	else
		membership->options.on_error(membership->options.context, err);
}

void membership_fence(struct membership *membership, const char *why)
{
	struct roster *roster = membership->options.roster;

	if (!membership->held)
		return;
	membership->held = false;
	timer_disarm(&membership->beat);
	timer_disarm(&membership->fence);
	for (size_t i = 0; i < roster->count; i++)
		run_discard(roster->runs[i]);
	membership->options.on_fenced(membership->options.context, why);
}

static void on_fence(void *context)
{
	membership_fence(context, "no heartbeat has reached the database in time");
}

static void obey(struct membership *membership, const struct worker_kill *kills, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct run *run =
			roster_find(membership->options.roster, kills[i].job_id, kills[i].attempt);

		if (run && kills[i].cancelled)
			run_cancel(run);
		else if (run)
			run_discard(run);
	}
}

static void on_beaten(void *context, const struct worker_kill *kills, size_t kill_count, bool drain,
		      const struct error *err)
{
	struct membership *membership = context;

	membership->beat_in_flight = false;
	if (err) {
		call_failed(membership, err);
		return;
	}
	if (!membership->held)
		return;
	membership->proved_ms = membership->sent_ms;
	arm_fence(membership);
	obey(membership, kills, kill_count);
	membership->options.on_told(membership->options.context, drain);
	if (membership->beat_again)
		membership_beat(membership);
}

void membership_beat(struct membership *membership)
{
	struct worker_link *link = membership->options.link;
	CLEANUP(cleanup_free) struct lease_id *leases = NULL;
	size_t count;

	if (!membership->held)
		return;
	timer_arm(&membership->beat, HEARTBEAT_MS);
	if (membership->beat_in_flight) {
		membership->beat_again = true;
		return;
	}
	if (!worker_link_is_up(link))
		return;
	membership->beat_again = false;
	membership->beat_in_flight = true;
	membership->sent_ms = clock_boottime_ms();
	leases = roster_leases(membership->options.roster, &count);
	worker_link_heartbeat(link, leases, count, on_beaten, membership);
}

static void on_beat(void *context)
{
	membership_beat(context);
}

static void on_joined(void *context, int64_t worker_id, int32_t incarnation,
		      const struct error *err)
{
	struct membership *membership = context;

	membership->joining = false;
	if (err && err->code == ERR_FORBIDDEN) {
		membership->options.on_refused(membership->options.context, err);
		return;
	}
	if (err) {
		membership->options.on_error(membership->options.context, err);
		return;
	}
	membership->held = true;
	membership->proved_ms = membership->sent_ms;
	arm_fence(membership);
	timer_arm(&membership->beat, HEARTBEAT_MS);
	membership->options.on_joined(membership->options.context, worker_id, incarnation);
}

static uint64_t cpu_millis(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1000;
	return (uint64_t)CPU_COUNT(&set) * 1000;
}

static uint64_t memory_bytes(void)
{
	struct sysinfo info;

	if (sysinfo(&info) < 0)
		return 0;
	return (uint64_t)info.totalram * info.mem_unit;
}

/* "memory" of "memory: the memory cgroup is not ours to use"; the array and its texts to be freed
 */
static char **limit_names(const char *const *sentences)
{
	size_t count = 0;
	char **names;

	while (sentences[count])
		count++;
	names = xcalloc(count + 1, sizeof(*names));
	for (size_t i = 0; i < count; i++)
		names[i] = xstrndup(sentences[i], strcspn(sentences[i], ":"));
	return names;
}

void membership_join(struct membership *membership)
{
	const struct membership_options *options = &membership->options;
	char **unenforced;
	char hostname[256] = "";
	struct worker_join join = {
		.slots = options->slots,
		.cpu_millis = cpu_millis(),
		.memory_bytes = memory_bytes(),
		.hostname = hostname,
		.version = RGRID_VERSION,
	};

	if (membership->held || membership->joining || !worker_link_is_up(options->link))
		return;
	membership->joining = true;
	membership->sent_ms = clock_boottime_ms();
	(void)gethostname(hostname, sizeof(hostname) - 1);
	memcpy(join.blob_key_sha256, options->blob_key_sha256, SHA256_BYTES);
	unenforced = limit_names(options->unenforced);
	join.unenforced = (const char *const *)unenforced;
	worker_link_join(options->link, &join, on_joined, membership);
	for (char **name = unenforced; *name; name++)
		free(*name);
	free(unenforced);
}

void membership_ask_to_leave(struct membership *membership, const char *reason,
			     worker_left_fn callback, void *context)
{
	worker_link_leave(membership->options.link, reason, true, callback, context);
}

void membership_leave(struct membership *membership, const char *reason, worker_left_fn callback,
		      void *context)
{
	membership->held = false;
	timer_disarm(&membership->beat);
	timer_disarm(&membership->fence);
	worker_link_leave(membership->options.link, reason, false, callback, context);
}

bool membership_is_held(const struct membership *membership)
{
	return membership->held;
}

struct membership *membership_new(const struct membership_options *options)
{
	struct membership *membership = xcalloc(1, sizeof(*membership));

	membership->options = *options;
	timer_init(&membership->beat, options->event, PRIORITY_LEASE, on_beat, membership);
	timer_init(&membership->fence, options->event, PRIORITY_LEASE, on_fence, membership);
	return membership;
}

void membership_free(struct membership *membership)
{
	if (!membership)
		return;
	timer_release(&membership->beat);
	timer_release(&membership->fence);
	free(membership);
}
