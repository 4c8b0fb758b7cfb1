#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/pg.h"

/* Connections that are not out stand in idle[0 … idle_count - 1]; the last given back is taken
 * first, so that few connections stay busy and the others may be closed by the server. */
struct pg_pool {
	pthread_mutex_t mutex;
	pthread_cond_t given;
	size_t count;
	size_t idle_count;
	struct pg *idle[];
};

int pg_pool_new(const char *conninfo, size_t connections_max, struct pg_pool **ret,
		struct error *err)
{
	CHECK(connections_max > 0);
	CLEANUP(cleanup_pg) struct pg *first = NULL;
	if (pg_open(conninfo, &first, err) < 0)
		return -1;

	struct pg_pool *pool = xcalloc(1, sizeof(*pool) + connections_max * sizeof(struct pg *));
	CHECK(pthread_mutex_init(&pool->mutex, NULL) == 0);
	CHECK(pthread_cond_init(&pool->given, NULL) == 0);
	pool->count = connections_max;
	while (pool->idle_count < connections_max - 1)
		pool->idle[pool->idle_count++] = pg_new(conninfo);
	pool->idle[pool->idle_count++] = TAKE_PTR(first);
	*ret = pool;
	return 0;
}

void pg_pool_free(struct pg_pool *pool)
{
	if (pool == NULL)
		return;
	CHECK(pool->idle_count == pool->count);
	for (size_t i = 0; i < pool->count; i++)
		pg_free(pool->idle[i]);
	(void)pthread_cond_destroy(&pool->given);
	(void)pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

struct pg *pg_pool_take(struct pg_pool *pool)
{
	CHECK(pthread_mutex_lock(&pool->mutex) == 0);
	while (pool->idle_count == 0)
		CHECK(pthread_cond_wait(&pool->given, &pool->mutex) == 0);
	struct pg *pg = pool->idle[--pool->idle_count];
	CHECK(pthread_mutex_unlock(&pool->mutex) == 0);
	return pg;
}

void pg_pool_give(struct pg_pool *pool, struct pg *pg)
{
	CHECK(pthread_mutex_lock(&pool->mutex) == 0);
	CHECK(pool->idle_count < pool->count);
	pool->idle[pool->idle_count++] = pg;
	CHECK(pthread_cond_signal(&pool->given) == 0);
	CHECK(pthread_mutex_unlock(&pool->mutex) == 0);
}
