#include "api/waker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "store/pg.h"
#include "store/queries.h"

#define PAUSE_NS 2000000 /* between two hints: what comes meanwhile is one hint */

struct waker {
	struct pg *pg;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t asked;
	bool wants_wake;
	bool wants_kill;
	bool is_stopping;
};

static void send_hint(struct waker *waker, const struct pg_statement *statement)
{
	struct error err;

	if (pg_do(waker->pg, statement, NULL, NULL, &err) < 0)
		log_warning("api.hint_failed", F_ERROR(&err));
}

static void *run(void *context)
{
	struct waker *waker = context;
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	for (;;) {
		CHECK(pthread_mutex_lock(&waker->mutex) == 0);
		while (!waker->wants_wake && !waker->wants_kill && !waker->is_stopping)
			CHECK(pthread_cond_wait(&waker->asked, &waker->mutex) == 0);
		bool wake = waker->wants_wake;
		bool kill = waker->wants_kill;
		waker->wants_wake = false;
		waker->wants_kill = false;
		CHECK(pthread_mutex_unlock(&waker->mutex) == 0);
		if (!wake && !kill)
			return NULL;
		if (wake)
			send_hint(waker, &query_wake_workers);
		if (kill)
			send_hint(waker, &query_kill_workers);
		(void)nanosleep(&pause, NULL);
	}
}

struct waker *waker_start(const char *conninfo)
{
	struct waker *waker = xcalloc(1, sizeof(*waker));

	waker->pg = pg_new(conninfo);
	CHECK(pthread_mutex_init(&waker->mutex, NULL) == 0);
	CHECK(pthread_cond_init(&waker->asked, NULL) == 0);
	CHECK(pthread_create(&waker->thread, NULL, run, waker) == 0);
	return waker;
}

static void ask(struct waker *waker, bool *what)
{
	CHECK(pthread_mutex_lock(&waker->mutex) == 0);
	*what = true;
	CHECK(pthread_cond_signal(&waker->asked) == 0);
	CHECK(pthread_mutex_unlock(&waker->mutex) == 0);
}

void waker_wake(struct waker *waker)
{
	ask(waker, &waker->wants_wake);
}

void waker_kill(struct waker *waker)
{
	ask(waker, &waker->wants_kill);
}

void waker_stop(struct waker *waker)
{
	if (waker == NULL)
		return;
	ask(waker, &waker->is_stopping);
	CHECK(pthread_join(waker->thread, NULL) == 0);
	pg_free(waker->pg);
	(void)pthread_cond_destroy(&waker->asked);
	(void)pthread_mutex_destroy(&waker->mutex);
	free(waker);
}
