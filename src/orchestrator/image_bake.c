#include "orchestrator/image_bake.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/rand.h"
#include "base/str.h"
#include "orchestrator/bake_server.h"
#include "orchestrator/enrolment.h"
#include "orchestrator/user_data.h"
#include "orchestrator/worker_image.h"
#include "store/queries.h"

#define BASE_DEFAULT "debian-12"
#define PASS_SPARE_MS \
	(15ULL * 60 * 1000) /* beyond the time of the builder: it is to be made first */
#define SETTING "RGRID_SERVER_IMAGE"

struct bake {
	const struct image_bake_options *options;
	struct provider_parts parts;
	struct worker_image_kind kind;
	struct bake_places places;
	char run[BASE32_U64_CHARS + 1];
	json_t *deleted_images, *deleted_servers;
	int64_t image_id; /* 0: it would be made */
	bool made;
};

PRINTF_FORMAT(2, 3) static void tell(const struct bake *bake, const char *format, ...)
{
	va_list args;

	if (bake->options->json)
		return;
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	(void)fflush(stdout);
}

static bool is_number(const char *text)
{
	struct error ignored = {0};
	int64_t number = 0;

	return parse_i64(text, 1, INT64_MAX, &number, &ignored) == 0;
}

/* An image that was baked is no base: each bake would lie on the one before. */
static const char *base_of(const struct image_bake_options *options)
{
	const char *image = conf_text(options->conf, CONF_SERVER_IMAGE);

	if (options->base != NULL)
		return options->base;
	return is_number(image) ? BASE_DEFAULT : image;
}

static int begin_alone(const struct bake *bake, struct error *err)
{
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;

	if (pg_run(bake->parts.pg, &query_bake_begin, NULL, &result, err) < 0)
		return -1;
	if (str_eq(pg_get_text(result, 0, 0), "t"))
		return 0;
	(void)error_set(err, ERR_CONFLICT, "another bake of this grid is at work");
	return error_hint(err, "wait for its end, or stop it");
}

/* The bundle's pass */

static int pass_give(const struct bake *bake, const uint8_t digest[SHA256_BYTES], struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_bytes(&params, digest, SHA256_BYTES);
	pg_param_i64(&params, (int64_t)(bake->options->timeout_ms + PASS_SPARE_MS));
	return pg_do(bake->parts.pg, &query_bundle_pass_give, &params, NULL, err);
}

static int pass_take(const struct bake *bake, const uint8_t digest[SHA256_BYTES], struct error *err)
{
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};

	pg_param_bytes(&params, digest, SHA256_BYTES);
	return pg_do(bake->parts.pg, &query_bundle_pass_take, &params, NULL, err);
}

/* Builders */

static int remove_left(struct bake *bake, struct error *err)
{
	CLEANUP(cleanup_hetzner_server_list) struct hetzner_server_list left = {0};

	if (bake_servers_list(&bake->parts, &left, err) < 0)
		return -1;
	for (size_t i = 0; i < left.count; i++) {
		const struct hetzner_server *server = &left.items[i];

		tell(bake, "%s %s (ID: %" PRId64 "), left by a bake that was stopped\n",
		     bake->options->dry_run ? "- Would delete the builder" : "Deleting the builder",
		     server->name, server->id);
		(void)json_array_append_new(bake->deleted_servers, json_integer(server->id));
		if (!bake->options->dry_run &&
		    bake_server_remove(bake->parts.hetzner, server->id, err) < 0)
			return error_wrap(err, "cannot delete the builder %s", server->name);
	}
	return 0;
}

static int make_user_data(const struct bake *bake, const char *token, char **ret, struct error *err)
{
	const struct conf *conf = bake->options->conf;
	const struct user_data data = {.is_builder = true,
				       .worker_name = "builder",
				       .api_url = conf_text(conf, CONF_WORKER_API_URL),
				       .ca_pem = bake->parts.ca_pem,
				       .database_host = conf_text(conf, CONF_PRIVATE_DB_IP),
				       .bundle_sha256 = bake->kind.bundle_sha256,
				       .bundle_token = token,
				       .gateway = bake->parts.gateway,
				       .start_ms = bake->options->timeout_ms};

	return user_data_build(&data, ret, err);
}

static int build(struct bake *bake, struct bake_server *server, struct error *err)
{
	tell(bake, "Making the builder rgrid-bake-%s from %s...\n", bake->run, bake->kind.base);
	if (bake_server_order(server, &bake->places, err) < 0)
		return -1;
	tell(bake, "✓ Builder made: %s in %s (ID: %" PRId64 ")\n", server->place.server_type,
	     server->place.location, server->id);
	tell(bake, "Waiting until it has the bundle and powers itself off...\n");
	if (bake_server_wait_off(server, bake->options->timeout_ms, err) < 0)
		return -1;
	tell(bake, "✓ Builder ready\nMaking the image...\n");
	if (worker_image_make(bake->parts.hetzner, server->id, &bake->kind, bake->run,
			      &bake->image_id, err) < 0)
		return -1;
	bake->made = true;
	tell(bake, "✓ Image made (ID: %" PRId64 ")\n", bake->image_id);
	return 0;
}

/* Also by label, for one whose order was not answered to the end. */
static int clean_up(const struct bake *bake, const struct bake_server *server, struct error *err)
{
	CLEANUP(cleanup_hetzner_server_list) struct hetzner_server_list left = {0};

	hetzner_interrupt_on(bake->parts.hetzner, NULL, NULL);
	if (server->id != 0 && bake_server_remove(bake->parts.hetzner, server->id, err) < 0)
		return -1;
	if (bake_servers_list(&bake->parts, &left, err) < 0)
		return -1;
	for (size_t i = 0; i < left.count; i++) {
		if (bake_server_remove(bake->parts.hetzner, left.items[i].id, err) < 0)
			return -1;
	}
	return 0;
}

static int make(struct bake *bake, struct error *err)
{
	struct bake_server server = {.parts = &bake->parts,
				     .conf = bake->options->conf,
				     .run = bake->run,
				     .image = bake->kind.base};
	CLEANUP(cleanup_free) char *user_data = NULL;
	char token[ENROLMENT_TOKEN_CHARS + 1];
	uint8_t digest[SHA256_BYTES];
	struct error left = {0};

	base62_random(token, ENROLMENT_TOKEN_CHARS);
	sha256_of(token, ENROLMENT_TOKEN_CHARS, digest);
	if (make_user_data(bake, token, &user_data, err) < 0 || pass_give(bake, digest, err) < 0)
		return -1;
	server.user_data = user_data;
	int result = build(bake, &server, err);

	if (clean_up(bake, &server, &left) < 0)
		(void)fprintf(stderr,
			      "warning: the builder is still there: %s\n"
			      "The next bake deletes it, or the orchestrator within an hour.\n",
			      left.msg);
	else
		tell(bake, "✓ Builder deleted\n");
	if (pass_take(bake, digest, &left) < 0)
		(void)fprintf(stderr,
			      "warning: the builder's pass to the bundle ends by itself: %s\n",
			      left.msg);
	return result;
}

/* Images */

/* The image that the orchestrator is configured to take stays, however old it is. */
static int delete_old(struct bake *bake, struct error *err)
{
	CLEANUP(cleanup_hetzner_image_list) struct hetzner_image_list images = {0};
	const char *configured = conf_text(bake->options->conf, CONF_SERVER_IMAGE);
	uint64_t kept = bake->image_id == 0; /* the one that would be made */

	if (bake->options->keep == 0)
		return 0;
	if (worker_images_list(bake->parts.hetzner, bake->kind.grid_id, &images, err) < 0)
		return -1;
	for (size_t i = 0; i < images.count; i++) {
		const struct hetzner_image *image = &images.items[i];
		char number[24];

		(void)snprintf(number, sizeof(number), "%" PRId64, image->id);
		if (image->id == bake->image_id || kept < bake->options->keep) {
			kept++;
			continue;
		}
		if (str_eq(configured, number)) {
			tell(bake, "Keeping the older image %s: " SETTING " names it\n", number);
			continue;
		}
		if (!bake->options->dry_run &&
		    hetzner_image_delete(bake->parts.hetzner, image->id, err) < 0)
			return error_wrap(err, "cannot delete the older image %s", number);
		(void)json_array_append_new(bake->deleted_images, json_integer(image->id));
		tell(bake, "%s image %s\n",
		     bake->options->dry_run ? "- Would delete the older" : "✓ Deleted the older",
		     number);
	}
	return 0;
}

static int find_existing(struct bake *bake, struct error *err)
{
	CLEANUP(cleanup_hetzner_image_list) struct hetzner_image_list images = {0};

	if (worker_images_list(bake->parts.hetzner, bake->kind.grid_id, &images, err) < 0)
		return -1;
	const struct hetzner_image *found = worker_image_find(&images, &bake->kind);

	if (found != NULL && !bake->options->force) {
		bake->image_id = found->id;
		tell(bake, "✓ There is an image with this bundle (ID: %" PRId64 ")\n", found->id);
	}
	return 0;
}

/* The command */

static void print_json(const struct bake *bake)
{
	CLEANUP(cleanup_json)
	json_t *all = json_pack("{s:b, s:b, s:{s:o, s:s, s:s, s:s}, s:O, s:O}", "dry_run",
				bake->options->dry_run, "made", bake->made, "image", "id",
				bake->image_id != 0 ? json_integer(bake->image_id) : json_null(),
				"bundle", bake->kind.bundle_sha256, "base", bake->kind.base,
				"architecture", bake->kind.architecture, "deleted_images",
				bake->deleted_images, "deleted_servers", bake->deleted_servers);
	CLEANUP(cleanup_free) char *text = json_to_text(all);

	(void)puts(text);
}

static void print_end(const struct bake *bake)
{
	if (bake->options->json) {
		print_json(bake);
		return;
	}
	if (bake->places.others)
		(void)printf("Note: some of the server-types are of another architecture than %s, "
			     "and cannot start from this image.\n",
			     bake->kind.architecture);
	if (bake->image_id != 0)
		(void)printf("\nFor the orchestrator's environment:\n" SETTING "=%" PRId64 "\n",
			     bake->image_id);
}

static int run(struct bake *bake, struct error *err)
{
	bool dry_run = bake->options->dry_run;

	if ((!dry_run && begin_alone(bake, err) < 0) || remove_left(bake, err) < 0 ||
	    find_existing(bake, err) < 0)
		return -1;
	if (bake->image_id == 0 && dry_run)
		tell(bake,
		     "- Would make a builder, %s in %s, from %s, and an image of it with the "
		     "bundle %.12s…\n",
		     bake->places.items[0].server_type, bake->places.items[0].location,
		     bake->kind.base, bake->kind.bundle_sha256);
	if (bake->image_id == 0 && !dry_run && make(bake, err) < 0)
		return -1;
	if (delete_old(bake, err) < 0)
		return -1;
	print_end(bake);
	return 0;
}

/* Blocked, they are seen where something is waited for, and the builder is deleted first. */
static void hold_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

int image_bake(const struct image_bake_options *options, struct error *err)
{
	CLEANUP(cleanup_provider) struct provider *provider = NULL;
	CLEANUP(cleanup_json) json_t *images = json_array();
	CLEANUP(cleanup_json) json_t *servers = json_array();
	struct bake bake = {
		.options = options, .deleted_images = images, .deleted_servers = servers};

	if (options->timeout_ms > IMAGE_BAKE_TIMEOUT_MS_MAX)
		return error_set(err, ERR_INVALID, "a builder gets 30 minutes at most");
	hold_signals();
	if (provider_open_parts(options->conf, &provider, err) < 0)
		return -1;
	provider_parts(provider, &bake.parts);
	if (bake_places_find(&bake.parts, &bake.places, err) < 0)
		return -1;
	base32_from_u64(rand_u64(), bake.run);
	bake.kind = (struct worker_image_kind){.grid_id = bake.parts.grid_id,
					       .bundle_sha256 =
						       conf_text(options->conf, CONF_WORKER_BUNDLE),
					       .base = base_of(options),
					       .architecture = bake.places.architecture};
	return run(&bake, err);
}
