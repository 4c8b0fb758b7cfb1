/* GET /api/v1/jobs/{id}/logs: the output so far, or a stream of events that follows it. */
#include <string.h>

#include "api/followers.h"
#include "api/log_position.h"
#include "api/log_stream.h"
#include "api/output_of.h"
#include "api/routes.h"
#include "api/server.h"

static int read_mode(const struct request *request, bool *ret_follows, struct error *err)
{
	const char *accept = request_header(request, MHD_HTTP_HEADER_ACCEPT);

	if (query_get_bool(&request->query, "follow", ret_follows, err) < 0)
		return -1;
	*ret_follows =
		*ret_follows || (accept != NULL && strstr(accept, "text/event-stream") != NULL);
	return 0;
}

/* Where the client left off, if it says so. */
static int resume(const struct request *request, struct log_position *position, bool *ret_resumes,
		  struct error *err)
{
	const char *last = request_header(request, "Last-Event-ID");

	*ret_resumes = last != NULL && *last != '\0';
	return *ret_resumes
		       ? log_event_id_parse(last, &position->attempt, &position->after_seq, err)
		       : 0;
}

int logs_get(struct request *request, struct reply *reply, struct error *err)
{
	struct log_position position = {.after_seq = -1};
	const char *stream = query_get(&request->query, "stream");
	unsigned streams = LOG_STREAMS_ALL;
	bool resumes = false;
	bool follows;

	if (read_mode(request, &follows, err) < 0 ||
	    (stream != NULL && log_streams_parse(stream, &streams, err) < 0))
		return -1;
	{
		CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);

		if (output_of(request, db.pg, &position.job, &position.attempt, err) < 0 ||
		    (follows && resume(request, &position, &resumes, err) < 0) ||
		    (!resumes && log_position_seek(request, db.pg, streams, &position, err) < 0))
			return -1;
	}
	if (follows)
		return followers_add(request, &position, streams, reply, err);
	reply_header(reply, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
	return reply_response(reply, MHD_HTTP_OK,
			      log_stream_response(request->server->pool, &position, streams));
}
