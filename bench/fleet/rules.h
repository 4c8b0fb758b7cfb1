/* The rules that are compared: RGrid's own decision, and what simple autoscalers do. */
#pragma once

#include "day.h"

struct rule {
	const char *name;
	const char *colour;
	void (*run)(struct day *day);
};
#define RULES 4
extern const struct rule rules[RULES];
