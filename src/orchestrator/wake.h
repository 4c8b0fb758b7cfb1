/* Hears that jobs wait, the moment they are submitted: a database session of its own that LISTENs.
 * Only a hint: whoever uses it looks now and then anyway. A lost session is made anew at the next
 * wake_tend. */
#pragma once

#include <systemd/sd-event.h>

struct wake;

struct wake_options {
	sd_event *event;
	const char *conninfo; /* borrowed */
	const char *channel;  /* borrowed */
	void (*on_wake)(void *context);
	void *context;
};

struct wake *wake_new(const struct wake_options *options);
void wake_free(struct wake *wake);
/* Now and then: connects if there is no session. Failures are left to the next time. */
void wake_tend(struct wake *wake);
