#include "cloud/cloud.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/spawn.h"

struct process {
	struct cloud *cloud; /* NULL: a free place */
	int64_t worker_id;
	pid_t pid;
	uint64_t started_ms;
	int64_t started_wall_us;
	bool asked; /* to shut down: once is enough, a worker may take a second time as "at once" */
	sd_event_source *source;
};

/* The place in `processes` numbers the state directory. */
struct cloud {
	struct cloud_options options;
	struct process processes[CLOUD_MACHINES_MAX];
};

int cloud_new_local(const struct cloud_options *options, struct cloud **ret, struct error *err)
{
	if (access(options->worker_program, X_OK) < 0) {
		(void)error_set_errno(err, ERR_NOT_FOUND, errno, "cannot run %s",
				      options->worker_program);
		return error_hint(err, "rgrid-worker has to be installed beside rgridd");
	}
	if (fs_mkdir_all(options->directory, 0711, err) < 0)
		return error_wrap(err, "cannot make the workers' directory");
	struct cloud *cloud = xcalloc(1, sizeof(*cloud));
	cloud->options = *options;
	*ret = cloud;
	return 0;
}

static void process_forget(struct process *process)
{
	process->source = sd_event_source_disable_unref(process->source);
	*process = (struct process){0};
}

void cloud_free(struct cloud *cloud)
{
	if (cloud == NULL)
		return;
	for (size_t i = 0; i < CLOUD_MACHINES_MAX; i++) {
		struct process *process = &cloud->processes[i];
		if (process->cloud == NULL)
			continue;
		pid_t pid = process->pid;
		process_forget(process);
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	free(cloud);
}

static struct process *process_find(const struct cloud *cloud, int64_t worker_id)
{
	for (size_t i = 0; i < CLOUD_MACHINES_MAX; i++) {
		const struct process *process = &cloud->processes[i];
		if (process->cloud != NULL && process->worker_id == worker_id)
			return process->cloud->processes + i;
	}
	return NULL;
}

size_t cloud_count(const struct cloud *cloud)
{
	size_t count = 0;
	for (size_t i = 0; i < CLOUD_MACHINES_MAX; i++)
		count += cloud->processes[i].cloud != NULL;
	return count;
}

void cloud_each(const struct cloud *cloud,
		void (*each)(void *context, int64_t worker_id, int64_t started_us), void *context)
{
	for (size_t i = 0; i < CLOUD_MACHINES_MAX; i++) {
		const struct process *process = &cloud->processes[i];
		if (process->cloud != NULL)
			each(context, process->worker_id, process->started_wall_us);
	}
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *context)
{
	struct process *process = context;
	struct cloud *cloud = process->cloud;
	bool exited = info->si_code == CLD_EXITED;
	char reason[64];
	(void)source;
	(void)snprintf(reason, sizeof(reason),
		       exited ? "the worker process ended with exit code %d"
			      : "the worker process was killed by signal %d",
		       info->si_status);
	struct cloud_end end = {.worker_id = process->worker_id,
				.lived_ms = clock_boottime_ms() - process->started_ms,
				.in_order = exited && info->si_status == 0,
				.reason = reason};
	process_forget(process);
	cloud->options.on_end(cloud->options.context, &end);
	return 0;
}

static int process_start(struct process *process, const struct cloud_machine *machine,
			 const char *directory, struct error *err)
{
	const struct cloud_options *options = &process->cloud->options;
	CLEANUP(cleanup_free) char *slots = xasprintf("%llu", (unsigned long long)machine->slots);
	const char *const argv[] = {
		options->worker_program, "--name",  machine->name, "--slots",	     slots,
		"--state-dir",		 directory, "--api-url",   options->api_url, NULL};
	struct spawn_options spawn_options = {.argv = argv,
					      .envp = machine->environment,
					      .stdin_fd = -1,
					      .stdout_fd = -1,
					      .stderr_fd = -1,
					      .new_group = true,
					      .death_signal = SIGKILL};
	return spawn(&spawn_options, &process->pid, err);
}

int cloud_create(struct cloud *cloud, const struct cloud_machine *machine, struct error *err)
{
	size_t place = 0;
	while (place < CLOUD_MACHINES_MAX && cloud->processes[place].cloud != NULL)
		place++;
	if (place == CLOUD_MACHINES_MAX)
		return error_set(err, ERR_LIMIT, "there are %zu local workers already",
				 CLOUD_MACHINES_MAX);
	CLEANUP(cleanup_free)
	char *directory = xasprintf("%s/%zu", cloud->options.directory, place + 1);
	if (fs_mkdir_all(directory, 0711, err) < 0)
		return -1;
	struct process *process = &cloud->processes[place];
	*process = (struct process){.cloud = cloud,
				    .worker_id = machine->worker_id,
				    .started_ms = clock_boottime_ms(),
				    .started_wall_us = clock_wall_us()};
	if (process_start(process, machine, directory, err) < 0) {
		process_forget(process);
		return error_wrap(err, "cannot start a worker");
	}
	int result = sd_event_add_child(cloud->options.event, &process->source, process->pid,
					WEXITED, on_child, process);
	CHECK(result >= 0);
	return 0;
}

static void process_shut_down(struct process *process)
{
	if (process == NULL || process->cloud == NULL || process->asked)
		return;
	process->asked = true;
	(void)kill(process->pid, SIGTERM); /* it may have ended: on_child follows */
}

static void process_kill(const struct process *process)
{
	if (process != NULL && process->cloud != NULL)
		(void)kill(process->pid, SIGKILL);
}

void cloud_shut_down(struct cloud *cloud, int64_t worker_id)
{
	process_shut_down(process_find(cloud, worker_id));
}

void cloud_shut_down_all(struct cloud *cloud)
{
	for (size_t i = 0; i < CLOUD_MACHINES_MAX; i++)
		process_shut_down(&cloud->processes[i]);
}

void cloud_hurry_all(struct cloud *cloud)
{
	for (size_t i = 0; i < CLOUD_MACHINES_MAX; i++) {
		struct process *process = &cloud->processes[i];
		process_shut_down(process);
		if (process->cloud != NULL)
			(void)kill(process->pid, SIGINT);
	}
}

void cloud_delete(struct cloud *cloud, int64_t worker_id)
{
	process_kill(process_find(cloud, worker_id));
}

void cloud_delete_all(struct cloud *cloud)
{
	for (size_t i = 0; i < CLOUD_MACHINES_MAX; i++)
		process_kill(&cloud->processes[i]);
}
