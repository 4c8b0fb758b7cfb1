#include "core/fleet_choice.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static bool names(const struct fleet_cooling *cooling, const struct fleet_choice *choice)
{
	return strncmp(cooling->server_type, choice->server_type, FLEET_NAME_BYTES) == 0 &&
	       strncmp(cooling->location, choice->location, FLEET_NAME_BYTES) == 0;
}

void fleet_options_init(struct fleet_options *options, const struct fleet_world *world)
{
	CHECK(world->choice_count <= FLEET_CHOICES_MAX);
	options->count = world->choice_count;
	for (size_t i = 0; i < world->choice_count; i++) {
		struct fleet_option *option = &options->items[i];
		*option = (struct fleet_option){.choice = &world->choices[i]};
		for (size_t j = 0; j < world->cooling_count; j++) {
			const struct fleet_cooling *cooling = &world->coolings[j];
			if (cooling->until_us <= world->now_us ||
			    cooling->until_us <= option->until_us ||
			    !names(cooling, option->choice))
				continue;
			option->cause = cooling->cause;
			option->until_us = cooling->until_us;
		}
		if (world->choices[i].withdrawn) {
			option->cause = FLEET_COOLING_WITHDRAWN;
			option->until_us = 0;
		}
	}
}

uint64_t fleet_fit(const struct fleet_shape *shape, uint64_t slots, uint64_t cpu_millis,
		   uint64_t memory_bytes, bool is_cpu_known, bool is_memory_known)
{
	uint64_t fit = slots;

	if (is_cpu_known && shape->cpu_millis > 0 && cpu_millis / shape->cpu_millis < fit)
		fit = cpu_millis / shape->cpu_millis;
	if (is_memory_known && shape->memory_bytes > 0 && memory_bytes / shape->memory_bytes < fit)
		fit = memory_bytes / shape->memory_bytes;
	return fit;
}

static bool would_do(const struct fleet_choice *choice, const struct fleet_shape *shape)
{
	return shape == NULL || fleet_fit(shape, 1, choice->cpu_millis, choice->memory_bytes,
					  choice->cpu_millis != 0, choice->memory_bytes != 0) > 0;
}

int fleet_options_find(const struct fleet_options *options, const struct fleet_shape *shape,
		       enum fleet_wait_code *ret_wait)
{
	bool any_sold = false;
	bool any_cooling = false;

	for (size_t i = 0; i < options->count; i++) {
		const struct fleet_option *option = &options->items[i];
		if (option->choice->withdrawn)
			continue;
		any_sold = true;
		if (!would_do(option->choice, shape))
			continue;
		if (option->cause == 0)
			return (int)i;
		any_cooling = true;
	}
	*ret_wait = any_cooling ? FLEET_WAIT_COOLING
		    : any_sold	? FLEET_WAIT_TOO_LARGE
				: FLEET_WAIT_NO_CHOICE;
	return -1;
}

int64_t fleet_options_until(const struct fleet_options *options, const struct fleet_shape *shape)
{
	int64_t until_us = 0;

	for (size_t i = 0; i < options->count; i++) {
		const struct fleet_option *option = &options->items[i];
		if (option->until_us != 0 && would_do(option->choice, shape) &&
		    (until_us == 0 || option->until_us < until_us))
			until_us = option->until_us;
	}
	return until_us;
}

static const char *cause_text(enum fleet_cooling_cause cause)
{
	switch (cause) {
	case FLEET_COOLING_SOLD_OUT:
		return "is sold out";
	case FLEET_COOLING_WITHDRAWN:
		return "is not sold any more";
	case FLEET_COOLING_NO_START:
		return "did not start";
	case FLEET_COOLING_REFUSED:
		return "was refused";
	}
	UNREACHABLE();
}

void fleet_options_describe(const struct fleet_options *options, const struct fleet_shape *shape,
			    size_t count, char *out, size_t out_bytes)
{
	size_t used = 0;

	CHECK(out_bytes > 0);
	out[0] = '\0';
	for (size_t i = 0; i < options->count && i < count; i++) {
		const struct fleet_option *option = &options->items[i];
		if (option->cause == 0 || !would_do(option->choice, shape))
			continue;
		int printed = snprintf(out + used, out_bytes - used, "%s%.*s in %.*s %s",
				       used > 0 ? ", " : "", FLEET_NAME_BYTES - 1,
				       option->choice->server_type, FLEET_NAME_BYTES - 1,
				       option->choice->location, cause_text(option->cause));
		if (printed < 0 || (size_t)printed >= out_bytes - used) {
			out[used] = '\0'; /* no half of a name */
			return;
		}
		used += (size_t)printed;
	}
}

/* Steele, Lea and Flood's mixing function: a small seed gives any jitter. */
static uint64_t mixed(uint64_t seed)
{
	uint64_t value = seed + 0x9e3779b97f4a7c15U;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
	return value ^ (value >> 31);
}

int64_t fleet_cool_until(const struct fleet_policy *policy, enum fleet_cooling_cause cause,
			 int64_t now_us, uint64_t seed)
{
	uint64_t cool_ms = 0;

	switch (cause) {
	case FLEET_COOLING_SOLD_OUT:
		cool_ms = policy->cool_sold_out_ms;
		break;
	case FLEET_COOLING_WITHDRAWN:
		cool_ms = policy->cool_withdrawn_ms;
		break;
	case FLEET_COOLING_NO_START:
		cool_ms = policy->cool_no_start_ms;
		break;
	case FLEET_COOLING_REFUSED:
		cool_ms = policy->cool_refused_ms;
		break;
	}
	cool_ms += mixed(seed) % (cool_ms / 4 + 1);
	return now_us + (int64_t)cool_ms * 1000;
}
