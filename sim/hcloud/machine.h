/* The machines under the simulator's servers: what `--machines` chooses. The simulator tells a
 * backend what its API has decided (a server exists, is powered on, has joined a network); the
 * backend makes it so on this computer and tells the boot's end back.
 *
 * "none" (NULL backend functions are not called): servers are rows, power is a word.
 * "netns": each server that is powered on is a real host: a network namespace, a booted Debian, a
 * metadata service, user_data run by the real cloud-init.
 *
 * All calls come from the simulator's one event loop and return soon: a slow step (boot, shutdown)
 * runs in a child process and ends in `on_event`. A backend survives its own death: what it makes
 * is named after `instance`, and machine_backend_new removes what an earlier process of the same
 * instance left. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"

struct machine_backend;

/* One private interface. */
struct machine_private_net {
	int64_t network_id;
	const char *network_name;
	const char *network_range; /* "10.0.0.0/16" */
	const char *subnet_range;  /* "10.0.1.0/24" */
	const char *gateway;	   /* first address of the network: "10.0.0.1" */
	const char *ip;
	const char *mac_address;
	const char *const *alias_ips; /* NULL-terminated, or NULL */
};

/* What a network's router sends to one of its members. */
struct machine_route {
	const char *destination; /* "0.0.0.0/0" */
	const char *gateway;	 /* a member's address, or one that nobody has now */
};

/* A server as its machine has to know it. Strings are borrowed for the call. */
struct machine_spec {
	int64_t server_id;
	const char *name;	  /* hostname */
	const char *location;	  /* "fsn1" */
	const char *network_zone; /* "eu-central" */
	const char *public_ipv4;  /* NULL: none. Of 198.18.0.0/15 */
	const char *public_ipv6;  /* NULL: none; announced, not routed */
	const char *user_data;	  /* NULL: none */
	uint64_t user_data_bytes;
	int64_t image_id;	     /* what a new disk is made from; 0: the root tree */
	const char *const *ssh_keys; /* NULL-terminated public keys */
	uint64_t cores;
	uint64_t memory_bytes;
	const struct machine_private_net *private_nets;
	uint64_t private_net_count;
	/* The faults that this machine is to show. */
	uint64_t boot_delay_ms;
	uint64_t private_net_delay_ms; /* the private interface comes so late */
	bool boot_fails;	       /* it never comes up */
};

enum machine_event {
	MACHINE_BOOTED = 1, /* the system runs; cloud-init may still be at work */
	MACHINE_STOPPED,    /* it is off, by itself or because it was asked to */
};

struct machine_backend_options {
	sd_event *event;
	const char
		*instance; /* unique for each simulator of this computer, at most 8 of [a-z0-9] */
	const char *directory; /* for roots, logs, sockets */
	const char *root_tree; /* the Debian to boot, as tools/make-machine-root builds it */
	bool keeps_images;     /* they outlive the backend, for the next one */
	void (*on_event)(void *context, int64_t server_id, enum machine_event event);
	void *context;
};

MUST_CHECK int machine_backend_new_netns(const struct machine_backend_options *options,
					 struct machine_backend **ret, struct error *err);
/* Everything that it made is gone afterwards, the machines' disks too, and images unless they are
 * to be kept. NULL is fine. */
void machine_backend_free(struct machine_backend *backend);
/* Removes what a process of this instance left that was killed and will not be started again: its
 * machines run on until then, or until the next start. ERR_CONFLICT while one runs. */
MUST_CHECK int machine_clean_netns(const char *instance, const char *directory, struct error *err);

/* The first start makes the machine's disk; later ones keep it (cloud-init knows its instance).
 * Right after machine_delete or machine_power_off it starts when the old one is gone; a start that
 * fails then, or whenever the system cannot be run, ends in MACHINE_STOPPED. */
MUST_CHECK int machine_power_on(struct machine_backend *backend, const struct machine_spec *spec,
				struct error *err);
/* Pulls the plug. MACHINE_STOPPED follows. */
void machine_power_off(struct machine_backend *backend, int64_t server_id);
/* Asks the system to shut down: ACPI. MACHINE_STOPPED may follow. */
void machine_shut_down(struct machine_backend *backend, int64_t server_id);
/* Plugs one interface in or out while the machine may be running; metadata follows. */
MUST_CHECK int machine_attach(struct machine_backend *backend, int64_t server_id,
			      const struct machine_private_net *net, struct error *err);
void machine_detach(struct machine_backend *backend, int64_t server_id, int64_t network_id);
/* What was its aliases in the network is no more; `alias_ips` are, NULL-terminated. */
MUST_CHECK int machine_set_aliases(struct machine_backend *backend, int64_t server_id,
				   int64_t network_id, const char *const *alias_ips,
				   struct error *err);
/* All routes of a network, whether it has members or not; they hold while the gateway is one. */
MUST_CHECK int machine_set_routes(struct machine_backend *backend, int64_t network_id,
				  const struct machine_route *routes, uint64_t count,
				  struct error *err);
/* Power off, and the disk is gone: deletion, or the first half of a rebuild. No event follows. */
void machine_delete(struct machine_backend *backend, int64_t server_id);
/* Begins to keep the machine's disk as image `image_id`, on or off; of one that has never been on,
 * what is kept is `base_image_id`, from which it would be made. */
MUST_CHECK int machine_snapshot(struct machine_backend *backend, int64_t server_id,
				int64_t base_image_id, int64_t image_id, struct error *err);
enum machine_image_state {
	MACHINE_IMAGE_ABSENT = 1, /* also when the process that copied it is no more */
	MACHINE_IMAGE_COPYING,
	MACHINE_IMAGE_READY,
	MACHINE_IMAGE_FAILED,
};
enum machine_image_state machine_image_state(const struct machine_backend *backend,
					     int64_t image_id);
/* Removes all images but these, and those on which they or machines lie. */
MUST_CHECK int machine_keep_images(struct machine_backend *backend, const int64_t *image_ids,
				   uint64_t count, struct error *err);
/* Cuts the machine off from all networks, or from that private one alone, or heals it: a fault,
 * which holds over power cycles. With network_id 0 it is about all, and undoes what was about
 * one. */
MUST_CHECK int machine_partition(struct machine_backend *backend, int64_t server_id,
				 int64_t network_id, bool cut, struct error *err);
