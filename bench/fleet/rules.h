/* The rules that are compared: RGrid's own decision, what simple autoscalers do, and what one could
 * do who knew the day. */
#pragma once

#include "day.h"

struct rule {
	const char *name;
	const char *colour;
	void (*run)(struct day *day);
};
#define RULES 5
extern const struct rule rules[RULES];
