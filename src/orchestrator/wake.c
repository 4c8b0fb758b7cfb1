#include "orchestrator/wake.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "base/check.h"
#include "store/pg.h"

struct wake {
	struct wake_options options;
	struct pg *pg;
	sd_event_source *source; /* of the session's socket; NULL while there is none */
};

static void forget_session(struct wake *wake)
{
	wake->source = sd_event_source_disable_unref(wake->source);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct wake *wake = context;
	struct error err = {0};
	bool woken = false;

	(void)source, (void)fd, (void)events;
	if (pg_wait(wake->pg, 0, &woken, &err) < 0) {
		forget_session(wake);
		return 0;
	}
	if (woken)
		wake->options.on_wake(wake->options.context);
	return 0;
}

void wake_tend(struct wake *wake)
{
	struct error err = {0};

	if (wake->source)
		return;
	if (pg_listen(wake->pg, wake->options.channel, &err) < 0)
		return;
	CHECK(sd_event_add_io(wake->options.event, &wake->source, pg_socket(wake->pg), EPOLLIN,
			      on_readable, wake) >= 0);
	/* Something may have been said while nobody listened. */
	wake->options.on_wake(wake->options.context);
}

struct wake *wake_new(const struct wake_options *options)
{
	struct wake *wake = xcalloc(1, sizeof(*wake));

	wake->options = *options;
	wake->pg = pg_new(options->conninfo);
	return wake;
}

void wake_free(struct wake *wake)
{
	if (!wake)
		return;
	forget_session(wake);
	pg_free(wake->pg);
	free(wake);
}
