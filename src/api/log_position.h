/* Where in an attempt's output to begin: from "tail=N", "since=…", or Last-Event-ID. */
#pragma once

#include <stdint.h>

#include "api/request.h"

/* The chunk `after_seq` and all before it are left out; of the next one wanted, the first
 * skip_bytes. */
struct log_position {
	int64_t job;
	int64_t attempt;
	int64_t after_seq; /* -1: from the beginning */
	uint64_t skip_bytes;
};

#define LOG_STREAMS_ALL 0xe /* 1 << enum log_stream, all of them */

/* Parameter "stream": names separated by commas. */
MUST_CHECK int log_streams_parse(const char *text, unsigned *ret, struct error *err);

/* "3.17" of a Last-Event-ID: chunk 17 of attempt 3 was seen. */
MUST_CHECK int log_event_id_parse(const char *text, int64_t *ret_attempt, int64_t *ret_seq,
				  struct error *err);
#define LOG_EVENT_ID_BYTES 48
const char *log_event_id_format(int64_t attempt, int64_t seq, char out[LOG_EVENT_ID_BYTES]);

/* Moves a position that is at the beginning, as the parameters "since" and "tail" say. */
MUST_CHECK int log_position_seek(const struct request *request, struct pg *pg, unsigned streams,
				 struct log_position *position, struct error *err);
