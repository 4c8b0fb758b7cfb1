/* Process 1 of a job's pid namespace, in the job's user namespace: a child of ours that reaps orphans
 * and does nothing else. crun joins both namespaces instead of making them. So the script is not
 * process 1, and signals and exit codes mean what they mean on the user's own machine; and to kill
 * the init is to kill the whole job, at once, whatever it forks.
 *
 * It is a copy of the worker and might show the worker's memory and command line: it runs as an id
 * that the job lacks where there are several, is not dumpable, and the job's /proc hides it. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "sandbox/id_map.h"

/* *ret_pid is a child to be ended with job_init_end. */
MUST_CHECK int job_init_start(const struct slot_ids *ids, pid_t *ret_pid, struct error *err);
/* Kills the namespace and waits for its end. pid 0: nothing to do. Sets it to 0. */
void job_init_end(pid_t *pid);
