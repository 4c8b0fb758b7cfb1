/* Checks of what the orchestrator is told to order: server types, locations, an image. The provider
 * withdraws them, with notice. Nothing here says whether one is in stock: only an order tells. */
#include <time.h>

#include "base/check.h"
#include "base/str.h"
#include "cloud/hetzner.h"
#include "core/name_list.h"
#include "core/server_choice.h"
#include "setup/doctor.h"
#include "setup/network_look.h"

#define TEXT_BYTES_MAX ((size_t)64 * 1024)
#define DATE_BYTES     16
#define ABOUT_BYTES    192

/* The configured choices, with what they refer to. */
struct view {
	struct server_choice choices[FLEET_CHOICES_MAX];
	size_t count;
	struct doctor_catalog catalog;
};

/* What is wrong with some of several: the first is told. */
struct faults {
	size_t gone, ending;
	char about[ABOUT_BYTES]; /* the first that is gone, else the first that ends */
};

PRINTF_FORMAT(3, 4)
static void fault_add(struct faults *faults, bool gone, const char *format, ...)
{
	va_list args;
	bool told = gone ? faults->gone++ == 0 : faults->ending++ == 0 && faults->gone == 0;

	if (!told)
		return;
	va_start(args, format);
	(void)vsnprintf(faults->about, sizeof(faults->about), format, args);
	va_end(args);
}

static const char *date_of(int64_t us, char out[DATE_BYTES])
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm when = {0};

	out[0] = '\0';
	if (gmtime_r(&seconds, &when) != NULL)
		(void)strftime(out, DATE_BYTES, "%Y-%m-%d", &when);
	return out;
}

/* How the setting is written where the orchestrator reads it. */
static void setting_fix(struct finding *ret, enum conf_param param, const char *what)
{
	char variable[CONF_VARIABLE_BYTES];

	conf_param_variable(param, variable);
	finding_fix(ret, "%s: %s in the configuration, or %s; then restart the orchestrator", what,
		    conf_param_name(param), variable);
}

/* False when nothing is ordered from Hetzner Cloud, and *ret is a skip. */
static bool need_hetzner(struct doctor *doctor, struct finding *ret)
{
	CLEANUP(cleanup_buf) struct buf provider;

	buf_init(&provider, TEXT_BYTES_MAX);
	doctor_setting(doctor, CONF_PROVIDER, &provider);
	if (str_eq(provider.data, "hetzner"))
		return true;
	finding_skipped(ret, "the orchestrator's provider is %s", provider.data);
	return false;
}

static int parse_choices(struct doctor *doctor, struct view *ret, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf text;

	buf_init(&text, TEXT_BYTES_MAX);
	doctor_setting(doctor, CONF_SERVER_TYPES, &text);
	return server_choices_parse(text.data, ret->choices, FLEET_CHOICES_MAX, &ret->count, err);
}

/* False: *ret is a skip with the reason. */
static bool need_view(struct doctor *doctor, struct view *view, struct finding *ret)
{
	struct error err = {0};

	if (!need_hetzner(doctor, ret))
		return false;
	if (parse_choices(doctor, view, &err) < 0) {
		finding_skipped(ret, "the choices cannot be read");
		return false;
	}
	if (doctor_catalog(doctor, &view->catalog, &err) < 0) {
		finding_skipped_api(ret, &err);
		return false;
	}
	return true;
}

static const struct hetzner_server_type *type_named(const struct view *view, const char *name)
{
	for (size_t i = 0; i < view->catalog.types->count; i++) {
		if (str_eq(view->catalog.types->items[i].name, name))
			return &view->catalog.types->items[i];
	}
	return NULL;
}

static const struct hetzner_price *price_at(const struct hetzner_server_type *type,
					    const char *location)
{
	for (size_t i = 0; i < type->price_count; i++) {
		if (str_eq(type->prices[i].location, location))
			return &type->prices[i];
	}
	return NULL;
}

static const struct hetzner_location *location_named(const struct view *view, const char *name)
{
	for (size_t i = 0; i < view->catalog.locations->count; i++) {
		if (str_eq(view->catalog.locations->items[i].name, name))
			return &view->catalog.locations->items[i];
	}
	return NULL;
}

/* Whether it does for jobs that ran on `lost`; NULL: not known. */
static bool is_replacement(const struct hetzner_server_type *type,
			   const struct hetzner_server_type *lost)
{
	if (lost == NULL)
		return str_eq(type->architecture, "x86");
	return str_eq(type->architecture, lost->architecture) && type->cores >= lost->cores &&
	       type->memory_bytes >= lost->memory_bytes;
}

/* The cheapest of them that is sold there without an end; NULL if there is none. */
static const char *replacement(const struct view *view, const struct hetzner_server_type *lost,
			       const char *location)
{
	const char *best = NULL;
	int64_t best_micros = INT64_MAX;

	for (size_t i = 0; i < view->catalog.types->count; i++) {
		const struct hetzner_server_type *type = &view->catalog.types->items[i];
		const struct hetzner_price *price = price_at(type, location);

		if (price == NULL || price->deprecated || price->hourly_micros >= best_micros ||
		    !is_replacement(type, lost))
			continue;
		best = type->name;
		best_micros = price->hourly_micros;
	}
	return best;
}

static void judge_type(const struct view *view, const struct server_choice *choice, int64_t now_us,
		       struct faults *faults)
{
	const struct hetzner_server_type *type = type_named(view, choice->server_type);
	const struct hetzner_price *price = type != NULL ? price_at(type, choice->location) : NULL;
	char date[DATE_BYTES];

	if (type == NULL)
		fault_add(faults, true, "there is no server type %s", choice->server_type);
	else if (price == NULL)
		fault_add(faults, true, "%s is not sold at %s", choice->server_type,
			  choice->location);
	else if (price->unavailable_us != 0 && price->unavailable_us <= now_us)
		fault_add(faults, true, "%s is not sold at %s since %s", choice->server_type,
			  choice->location, date_of(price->unavailable_us, date));
	else if (price->unavailable_us != 0)
		fault_add(faults, false, "%s is sold at %s until %s", choice->server_type,
			  choice->location, date_of(price->unavailable_us, date));
	else if (price->deprecated)
		fault_add(faults, false, "%s is deprecated at %s", choice->server_type,
			  choice->location);
}

/* Of `count`, those that are gone and those that are on their way out. */
static void tell_faults(const struct faults *faults, size_t count, const char *nouns,
			struct finding *ret)
{
	if (faults->gone == count && count > 0)
		finding_broken(ret, "none of the %zu %s can be had: %s", count, nouns,
			       faults->about);
	else if (faults->gone > 0)
		finding_warn(ret, "%zu of %zu %s cannot be had: %s", faults->gone, count, nouns,
			     faults->about);
	else if (faults->ending > 0)
		finding_warn(ret, "%zu of %zu %s will not be had much longer: %s", faults->ending,
			     count, nouns, faults->about);
	else
		finding_ok(ret, "%zu %s, all of them on sale", count, nouns);
}

/* Choices at a location that is none are that check's. */
static void check_types(struct doctor *doctor, struct finding *ret)
{
	struct view view = {0};
	struct faults faults = {0};
	struct error err = {0};
	const struct server_choice *first = NULL;
	size_t count = 0;

	if (!need_hetzner(doctor, ret))
		return;
	if (parse_choices(doctor, &view, &err) < 0) {
		finding_broken(ret, "%s", err.msg);
		setting_fix(ret, CONF_SERVER_TYPES, err.hint[0] != '\0' ? err.hint : "mend it");
		return;
	}
	if (!need_view(doctor, &view, ret))
		return;
	int64_t now_us = doctor_provider_now_us(doctor);
	for (size_t i = 0; i < view.count; i++) {
		size_t before = faults.gone + faults.ending;

		if (location_named(&view, view.choices[i].location) == NULL)
			continue;
		count++;
		judge_type(&view, &view.choices[i], now_us, &faults);
		if (first == NULL && faults.gone + faults.ending > before)
			first = &view.choices[i];
	}
	if (count == 0) {
		finding_skipped(ret, "none of the locations exists");
		return;
	}
	tell_faults(&faults, count, "choices", ret);
	if (first == NULL)
		return;
	const char *other =
		replacement(&view, type_named(&view, first->server_type), first->location);
	CLEANUP(cleanup_free)
	char *what = other != NULL
			     ? xasprintf("take %s:%s instead of %s:%s", other, first->location,
					 first->server_type, first->location)
			     : xasprintf("take %s:%s out", first->server_type, first->location);
	setting_fix(ret, CONF_SERVER_TYPES, what);
}

/* Workers must be where this server is: a private network lies in one zone. "" when no network is
 * in use, or it is not known where this server is. */
static const char *zone_needed(struct doctor *doctor)
{
	const struct env_values *env = NULL;
	const struct hetzner_server *self = NULL;
	struct error err = {0};

	if (doctor_env(doctor, &env, NULL, &err) < 0 || env->network_id[0] == '\0' ||
	    doctor_self(doctor, &self, &err) < 0)
		return "";
	return self->network_zone;
}

static bool is_seen_before(const struct view *view, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (str_eq(view->choices[i].location, view->choices[index].location))
			return true;
	}
	return false;
}

static void check_locations(struct doctor *doctor, struct finding *ret)
{
	struct view view = {0};
	struct faults faults = {0};
	size_t count = 0;

	if (!need_view(doctor, &view, ret))
		return;
	const char *zone = zone_needed(doctor);
	for (size_t i = 0; i < view.count; i++) {
		const char *name = view.choices[i].location;
		const struct hetzner_location *location = location_named(&view, name);

		if (is_seen_before(&view, i))
			continue;
		count++;
		if (location == NULL)
			fault_add(&faults, true, "there is no location %s", name);
		else if (zone[0] != '\0' && !str_eq(location->network_zone, zone))
			fault_add(&faults, true,
				  "%s is in the network zone %s, the private network in %s", name,
				  location->network_zone, zone);
	}
	tell_faults(&faults, count, "locations", ret);
	if (faults.gone > 0)
		setting_fix(ret, CONF_SERVER_TYPES, "take its choices out");
}

/* Whether some choice is of that architecture. */
static bool is_needed(const struct view *view, const char *architecture)
{
	for (size_t i = 0; i < view->count; i++) {
		const struct hetzner_server_type *type =
			type_named(view, view->choices[i].server_type);
		if (type != NULL && str_eq(type->architecture, architecture))
			return true;
	}
	return false;
}

/* By number or name, and architecture; a name that looks like a number is a number. */
static const struct hetzner_image *image_find(const struct hetzner_image_list *images,
					      const char *text, const char *architecture)
{
	struct error err = {0};
	int64_t id = 0;

	if (parse_i64(text, 1, INT64_MAX, &id, &err) < 0)
		id = 0;
	for (size_t i = 0; i < images->count; i++) {
		const struct hetzner_image *image = &images->items[i];
		bool named = id != 0 ? image->id == id : str_eq(image->name, text);
		if (named && str_eq(image->architecture, architecture))
			return image;
	}
	return NULL;
}

static void judge_image(const struct hetzner_image *image, const char *text,
			const char *architecture, struct faults *faults)
{
	char date[DATE_BYTES];

	if (image == NULL)
		fault_add(faults, true, "there is no image %s for %s", text, architecture);
	else if (!str_eq(image->status, "available"))
		fault_add(faults, true, "image %s is %s", text, image->status);
	else if (image->deprecated_us != 0)
		fault_add(faults, false, "image %s is deprecated since %s", text,
			  date_of(image->deprecated_us, date));
}

static void check_image(struct doctor *doctor, struct finding *ret)
{
	static const char *const architectures[] = {"x86", "arm"};
	CLEANUP(cleanup_hetzner_image_list) struct hetzner_image_list images = {0};
	CLEANUP(cleanup_buf) struct buf text;
	struct hetzner *hetzner = NULL;
	struct view view = {0};
	struct faults faults = {0};
	struct error err = {0};
	size_t count = 0;

	buf_init(&text, TEXT_BYTES_MAX);
	if (!need_view(doctor, &view, ret))
		return;
	if (doctor_hetzner(doctor, &hetzner, &err) < 0 ||
	    hetzner_images_list(hetzner, NULL, NULL, NULL, &images, &err) < 0) {
		finding_skipped_api(ret, &err);
		return;
	}
	doctor_setting(doctor, CONF_SERVER_IMAGE, &text);
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++) {
		if (!is_needed(&view, architectures[i]))
			continue;
		count++;
		judge_image(image_find(&images, text.data, architectures[i]), text.data,
			    architectures[i], &faults);
	}
	if (count == 0)
		finding_skipped(ret, "none of the server types exists");
	else if (faults.gone == count)
		finding_broken(ret, "%s", faults.about);
	else if (faults.gone + faults.ending > 0)
		finding_warn(ret, "%s", faults.about);
	else
		finding_ok(ret, "%s", text.data);
	if (faults.gone + faults.ending > 0)
		setting_fix(ret, CONF_SERVER_IMAGE,
			    "take debian-12 or debian-13, or a snapshot of your own");
}

/* A setting that names things of the project, and how they are listed. */
struct naming {
	enum conf_param param;
	const char *nouns;
	int (*list)(struct hetzner *hetzner, const char *name, struct hetzner_named_list *ret,
		    struct error *err);
	const char *command; /* that shows them */
};

/* What is configured, and what there is. False: *ret has a finding. */
static bool need_names(struct doctor *doctor, const struct naming *naming, struct name_list *names,
		       struct hetzner_named_list *all, struct finding *ret)
{
	CLEANUP(cleanup_buf) struct buf text;
	struct hetzner *hetzner = NULL;
	struct error err = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (!need_hetzner(doctor, ret))
		return false;
	doctor_setting(doctor, naming->param, &text);
	if (name_list_parse(text.data, names, &err) < 0) {
		finding_broken(ret, "%s", err.msg);
		setting_fix(ret, naming->param, "mend it");
		return false;
	}
	if (names->count == 0) {
		finding_ok(ret, "none");
		return false;
	}
	if (doctor_hetzner(doctor, &hetzner, &err) < 0 ||
	    naming->list(hetzner, NULL, all, &err) < 0) {
		finding_skipped_api(ret, &err);
		return false;
	}
	return true;
}

/* The orchestrator does not start with one that is not there; while it runs, every order fails. */
static void check_names(struct doctor *doctor, const struct naming *naming, struct finding *ret)
{
	CLEANUP(cleanup_hetzner_named_list) struct hetzner_named_list all = {0};
	CLEANUP(cleanup_free) struct name_list *names = xcalloc(1, sizeof(*names));

	if (!need_names(doctor, naming, names, &all, ret))
		return;
	for (size_t i = 0; i < names->count; i++) {
		if (hetzner_named_find(&all, names->names[i]) != NULL)
			continue;
		finding_broken(ret, "the project has no %s", names->names[i]);
		setting_fix(ret, naming->param, naming->command);
		return;
	}
	finding_ok(ret, "all %zu %s exist", names->count, naming->nouns);
}

static void check_ssh_keys(struct doctor *doctor, struct finding *ret)
{
	static const struct naming naming = {CONF_SSH_KEYS, "keys", hetzner_ssh_keys_list,
					     "take one that `hcloud ssh-key list` shows"};

	check_names(doctor, &naming, ret);
}

static void check_firewalls(struct doctor *doctor, struct finding *ret)
{
	static const struct naming naming = {CONF_FIREWALLS, "firewalls", hetzner_firewalls_list,
					     "take one that `hcloud firewall list` shows"};

	check_names(doctor, &naming, ret);
}

static const struct check checks[] = {
	{"choice-types", "server types to order", check_types},
	{"choice-locations", "locations to order them at", check_locations},
	{"choice-image", "image of the servers", check_image},
	{"choice-ssh-keys", "SSH keys of the servers", check_ssh_keys},
	{"choice-firewalls", "firewalls of the servers", check_firewalls},
};

const struct check_table doctor_choices = {"choices", checks, ARRAY_SIZE(checks)};
