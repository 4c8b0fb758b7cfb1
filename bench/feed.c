#include "feed.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "store/pg.h"
#include "store/queries.h"

/* As long as that of a small job from the command line. */
static const char spec[] =
	"{\"name\":\"process.py\",\"runtime\":\"python\",\"script\":{\"name\":\"process.py\","
	"\"blob\":"
	"\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"},\"args\":[\"in."
	"csv\"],"
	"\"files\":[{\"path\":\"in.csv\",\"blob\":"
	"\"60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752\"}]}";

struct writer {
	const struct feed *feed;
	struct pg *pg;
	pthread_t thread;
	bool failed;
	struct error err;
};

struct feed_run {
	struct feed feed;
	uint64_t start_us;
	struct writer writers[FEED_WRITERS_MAX];
};

static void put_specs(struct pg_params *params, size_t count)
{
	CLEANUP(cleanup_free) const char **texts = xcalloc(count, sizeof(texts[0]));
	CLEANUP(cleanup_free) const char **nulls = xcalloc(count, sizeof(nulls[0]));
	CLEANUP(cleanup_free) int64_t *zeros = xcalloc(count, sizeof(zeros[0]));

	for (size_t i = 0; i < count; i++)
		texts[i] = spec;
	pg_param_text_array(params, texts, count);
	pg_param_text_array(params, nulls, count); /* names */
	pg_param_text_array(params, nulls, count); /* labels */
	pg_param_i64_array(params, zeros, count);  /* retries */
}

static int submit(struct pg *pg, const struct feed *feed, struct error *err)
{
	static const uint8_t no_request[32];
	const char *no_key = NULL;
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	const struct pg_statement *statement = &query_submit;

	if (feed->batch == 1) {
		statement = &query_submit_many;
		pg_param_i64_array(&params, &feed->grid->project, 1);
		pg_param_text_array(&params, &no_key, 1);
		pg_param_bytes_array(&params, no_request, sizeof(no_request), 1);
	} else {
		pg_param_i64(&params, feed->grid->project);
		pg_param_null(&params); /* no batch */
	}
	put_specs(&params, feed->batch);
	return pg_run(pg, statement, &params, &result, err);
}

static void *write_share(void *context)
{
	struct writer *writer = context;
	const struct feed *feed = writer->feed;
	uint64_t calls = feed->jobs / feed->batch / feed->writers;

	for (uint64_t i = 0; i < calls && !writer->failed; i++)
		writer->failed = submit(writer->pg, feed, &writer->err) < 0;
	return NULL;
}

void feed_start(const struct feed *feed, struct feed_run **ret)
{
	struct feed_run *run = xcalloc(1, sizeof(*run));

	CHECK(feed->writers > 0 && feed->writers <= FEED_WRITERS_MAX);
	CHECK(feed->jobs % (feed->batch * feed->writers) == 0);
	run->feed = *feed;
	for (size_t i = 0; i < feed->writers; i++) {
		struct writer *writer = &run->writers[i];

		writer->feed = &run->feed;
		writer->failed = pg_open(feed->grid->conninfo, &writer->pg, &writer->err) < 0;
	}
	run->start_us = clock_boottime_us();
	for (size_t i = 0; i < feed->writers; i++)
		CHECK(pthread_create(&run->writers[i].thread, NULL, write_share,
				     &run->writers[i]) == 0);
	*ret = run;
}

int feed_join(struct feed_run *run, uint64_t *ret_us, struct error *err)
{
	int result = 0;

	for (size_t i = 0; i < run->feed.writers; i++)
		CHECK(pthread_join(run->writers[i].thread, NULL) == 0);
	*ret_us = clock_boottime_us() - run->start_us;
	for (size_t i = 0; i < run->feed.writers; i++) {
		if (run->writers[i].failed) {
			*err = run->writers[i].err;
			result = -1;
		}
		pg_free(run->writers[i].pg);
	}
	free(run);
	return result;
}
