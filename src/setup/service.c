#include "setup/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#define LONG_LIFE_MS	  10000
#define RESTART_DELAY_MS  100
#define RESTART_MAX_MS	  5000
#define MAY_START_POLL_MS 20
#define READ_BYTES	  16384
#define READS_MAX	  64 /* of one wake-up, so that a flood does not starve the loop */

static void schedule_start(struct service *service, uint64_t delay_ms);

static void line_append(struct service *service, const char *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (data[i] == '\n') {
			if (service->line_bytes > 0) {
				memcpy(service->last_line, service->line, service->line_bytes);
				service->last_line[service->line_bytes] = '\0';
			}
			service->line_bytes = 0;
		} else if (service->line_bytes < sizeof(service->line) - 1) {
			service->line[service->line_bytes++] = data[i];
		}
	}
}

/* What there is to read now. */
static void drain_output(struct service *service)
{
	char data[READ_BYTES];
	for (int i = 0; i < READS_MAX && service->output_fd >= 0; i++) {
		ssize_t bytes = read(service->output_fd, data, sizeof(data));
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0 && errno == EAGAIN)
			return;
		if (bytes <= 0) {
			service->output_source =
				sd_event_source_disable_unref(service->output_source);
			cleanup_fd(&service->output_fd);
			service->output_fd = -1;
			return;
		}
		log_file_write(service->options.log, data, (size_t)bytes);
		line_append(service, data, (size_t)bytes);
		if (service->options.verbose) {
			struct error ignored = {0}; /* our stderr is gone: nobody to tell */
			(void)!fs_write_all(STDERR_FILENO, data, (size_t)bytes, &ignored);
		}
	}
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)source, (void)fd, (void)events;
	drain_output(context);
	return 0;
}

static void forget_process(struct service *service)
{
	service->pid = 0;
	service->child_source = sd_event_source_disable_unref(service->child_source);
	drain_output(service);
	service->output_source = sd_event_source_disable_unref(service->output_source);
	cleanup_fd(&service->output_fd);
	service->output_fd = -1;
}

static void log_death(const struct service *service, const siginfo_t *info, uint64_t delay_ms)
{
	bool exited = info->si_code == CLD_EXITED;
	log_warning("service.died", F_STR("service", service->options.name),
		    F_STR("how", exited ? "exit" : "signal"), F_INT("status", info->si_status),
		    F_STR("last_line", service->last_line), F_INT("restart_in_ms", delay_ms));
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *context)
{
	struct service *service = context;
	(void)source;
	forget_process(service);
	if (service->stopping) {
		service->options.on_stopped(service->options.context, service);
		return 0;
	}
	uint64_t delay_ms = 0;
	if (clock_boottime_ms() - service->started_ms >= LONG_LIFE_MS)
		service->early_deaths = 0;
	for (unsigned i = 0; i < service->early_deaths && delay_ms < RESTART_MAX_MS; i++)
		delay_ms = delay_ms == 0 ? RESTART_DELAY_MS : delay_ms * 2;
	if (delay_ms > RESTART_MAX_MS)
		delay_ms = RESTART_MAX_MS;
	service->early_deaths++;
	log_death(service, info, delay_ms);
	schedule_start(service, delay_ms);
	return 0;
}

static int watch(struct service *service, struct error *err)
{
	int result = sd_event_add_child(service->options.event, &service->child_source,
					service->pid, WEXITED, on_child, service);
	if (result >= 0)
		result = sd_event_add_io(service->options.event, &service->output_source,
					 service->output_fd, EPOLLIN, on_output, service);
	if (result < 0)
		return error_set_errno(err, ERR_INTERNAL, -result, "cannot watch %s",
				       service->options.name);
	/* Its last words are read before its death is handled. */
	(void)sd_event_source_set_priority(service->output_source, SD_EVENT_PRIORITY_IMPORTANT);
	return 0;
}

static int launch(struct service *service, struct error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, ERR_INTERNAL, errno, "cannot make a pipe");
	CLEANUP(cleanup_fd) int child_end = ends[1];
	service->output_fd = ends[0];
	struct spawn_options spawn_options = service->options.spawn;
	spawn_options.stdout_fd = child_end;
	spawn_options.stderr_fd = child_end;
	spawn_options.new_group = true;
	if (fs_set_nonblocking(service->output_fd, err) < 0 ||
	    spawn(&spawn_options, &service->pid, err) < 0)
		return error_wrap(err, "cannot start %s", service->options.name);
	service->started_ms = clock_boottime_ms();
	return watch(service, err);
}

static int on_restart(sd_event_source *source, uint64_t usec, void *context)
{
	struct service *service = context;
	(void)source, (void)usec;
	if (service->stopping)
		return 0;
	if (service->options.may_start != NULL &&
	    !service->options.may_start(service->options.context)) {
		schedule_start(service, MAY_START_POLL_MS);
		return 0;
	}
	struct error err = {0};
	if (launch(service, &err) < 0) {
		log_error("service.start_failed", F_STR("service", service->options.name),
			  F_ERROR(&err));
		service_release(service);
		schedule_start(service, RESTART_MAX_MS);
	}
	return 0;
}

static void schedule_start(struct service *service, uint64_t delay_ms)
{
	service->restart_source = sd_event_source_disable_unref(service->restart_source);
	int result =
		sd_event_add_time_relative(service->options.event, &service->restart_source,
					   CLOCK_BOOTTIME, delay_ms * 1000, 0, on_restart, service);
	CHECK(result >= 0);
}

int service_start(struct service *service, const struct service_options *options, struct error *err)
{
	*service = (struct service){.options = *options, .output_fd = -1};
	if (launch(service, err) < 0) {
		service_release(service);
		return -1;
	}
	return 0;
}

void service_stop(struct service *service, int signal)
{
	bool was_stopping = service->stopping;
	service->stopping = true;
	service->restart_source = sd_event_source_disable_unref(service->restart_source);
	if (service->pid > 0)
		(void)kill(service->pid, signal); /* it may have ended: on_child follows */
	else if (!was_stopping && service->options.on_stopped != NULL)
		service->options.on_stopped(service->options.context, service);
}

void service_release(struct service *service)
{
	if (service->options.event == NULL)
		return;
	service->restart_source = sd_event_source_disable_unref(service->restart_source);
	if (service->pid > 0) {
		pid_t pid = service->pid;
		service->child_source = sd_event_source_disable_unref(service->child_source);
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	if (service->output_fd >= 0 || service->child_source != NULL)
		forget_process(service);
	service->pid = 0;
}
