/* struct fleet_cloud (ports.h) for Hetzner Cloud: workers' servers of one grid in one project.
 *
 * Servers are ours when they carry managed-by=rgrid, this grid's id and the role of a worker
 * or of a builder of images (core/label.h); nothing else is listed, and nothing else is ever
 * deleted. A server's name is its worker's, unique in the project: so an order whose answer was
 * lost cannot be given twice. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cloud/hetzner.h"
#include "core/server_choice.h"
#include "orchestrator/ports.h"
#include "orchestrator/public_list.h"

struct hetzner_fleet_options {
	struct hetzner *hetzner; /* borrowed, as all strings */
	const char *grid_id;
	const struct server_choice *choices; /* in order of preference */
	size_t choice_count;
	const char *image;  /* name, or the number of a snapshot */
	int64_t network_id; /* 0: no private network */
	bool public_ipv4;
	struct public_list *public_list; /* told of all servers' addresses; NULL: nobody asks */
	const int64_t *ssh_key_ids;
	size_t ssh_key_count;
	const int64_t *firewall_ids; /* of the public side: without one they are left out */
	size_t firewall_count;
	bool spread;	   /* over hosts, by placement groups */
	uint64_t sweep_ms; /* of hetzner_groups */
	/* What the new server is told; to be freed. */
	int (*user_data)(void *context, const struct fleet_creation *creation, char **ret,
			 struct error *err);
	void *context;
};

struct hetzner_fleet;

/* Fills *ret, whose context is the returned object. */
struct hetzner_fleet *hetzner_fleet_new(const struct hetzner_fleet_options *options,
					struct fleet_cloud *ret);
void hetzner_fleet_free(struct hetzner_fleet *fleet);

/* How long after a listing of so many servers the next one may come: so that all of them take a
 * quarter of the project's requests at most. under_way: it would show something. */
uint64_t hetzner_fleet_list_again_ms(size_t server_count, bool under_way);
/* What a refusal means for the fleet. */
enum fleet_answer hetzner_fleet_answer(const struct hetzner_failure *failure);
