/* The booted system of one machine: systemd-nspawn with the real systemd as PID 1, in the
 * machine's network namespace and cgroup, on an overlay of the shared root tree and images. When
 *the simulator is killed, systemd-nspawn dies but the system runs on until its cgroup is killed, at
 * the next start of the instance.
 *
 * A machine's directory holds:
 *	disk/		what it has written: the overlay's upper layer, kept while it is off
 *	layers		what is beneath (machine_netns_image.h)
 *	platform/	/run/hcloud-sim of the machine: tells cloud-init who it is, hears "booted"
 *			and on which file systems its loop devices may lie
 *	console.log	what it printed, all boots
 *	root/		where the overlay is mounted, in a mount namespace of the machine's own */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct images;
struct machine_cgroup;

/* Exit status of systemd-nspawn when the system asked for a reboot. */
#define BOOT_EXIT_REBOOT 133
#define BOOT_MARK	 "booted" /* the file in platform/ that says that the system runs */

/* systemd-nspawn's directories for mounts from outside, one for each machine. */
#define BOOT_PROPAGATE_DIRECTORY "/run/systemd/nspawn/propagate"

struct boot_options {
	const char *directory; /* the machine's */
	const struct images *images;
	int64_t image_id; /* what a new disk is made from */
	const char *name; /* of the machine, its network namespace and its cgroup alike */
	const char *hostname;
	int64_t server_id;
	const struct machine_cgroup *cgroup;
};

/* Makes the machine's directory, or finds it. */
MUST_CHECK int boot_prepare(const struct boot_options *options, struct error *err);
/* Starts the prepared machine. SIGTERM to *ret_pid asks the system to power itself off. */
MUST_CHECK int boot_start(const struct boot_options *options, pid_t *ret_pid, struct error *err);
/* Removes what systemd-nspawn leaves elsewhere when it is killed. */
void boot_clean(const char *name);
