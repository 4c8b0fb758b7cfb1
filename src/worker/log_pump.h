/* What one attempt prints, on its way to the database: reads its two pipes, cuts what comes into
 * chunks in order of arrival, and hands each chunk on until it is acknowledged.
 *
 * A chunk is closed when it is full, when the other stream speaks, or LOG_PUMP_FLUSH_MS after its
 * first byte. At most LOG_PUMP_UNACKNOWLEDGED bytes wait for an acknowledgement; beyond that the
 * pipes are not read, so the script waits. Chunks are kept until acknowledged, and sent again, in
 * order, after a failure. After LIMIT_LOG_BYTES of stdout and stderr the rest is read and dropped,
 * with a word about it in the system stream.
 *
 * The owner (run) does the sending and tells the answers, which come in the order of sending. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/job.h"
#include "core/limits.h"

#define LOG_PUMP_FLUSH_MS	100
#define LOG_PUMP_UNACKNOWLEDGED (1 * MIB)
#define LOG_PUMP_CHUNKS_MAX	256

struct log_pump;

struct log_chunk {
	int32_t seq; /* over all streams, from 0 */
	enum log_stream stream;
	uint64_t start; /* offset of the first byte within its stream */
	const char *data;
	size_t bytes;
};

struct log_pump_options {
	sd_event *event;
	uint64_t bytes_max; /* 0: LIMIT_LOG_BYTES */
	void *context;
	/* Sends one chunk, borrowed for the call. False when it cannot now: log_pump_resend
	 * follows. */
	bool (*send)(void *context, const struct log_chunk *chunk);
	/* Something changed that the owner may wait for: both pipes ended, or nothing waits for an
	 * acknowledgement any more. */
	void (*on_progress)(void *context);
};

struct log_pump *log_pump_new(const struct log_pump_options *options);
void log_pump_free(struct log_pump *pump);

/* Takes both read ends over. */
void log_pump_open(struct log_pump *pump, int stdout_fd, int stderr_fd);
/* Stops reading at once: whatever else is in the pipes is lost. */
void log_pump_close(struct log_pump *pump);
/* RGrid's own words, one line; a newline is added. */
void log_pump_say(struct log_pump *pump, const char *text);
/* Closes the chunk being filled, and sends it if it may be. */
void log_pump_flush(struct log_pump *pump);

/* The answer to the oldest unanswered sending. */
void log_pump_answered(struct log_pump *pump, bool acknowledged);
/* Sends what could not be sent or was not acknowledged. */
void log_pump_resend(struct log_pump *pump);

bool log_pump_ended(const struct log_pump *pump);   /* both pipes are at their end */
bool log_pump_is_sent(const struct log_pump *pump); /* everything so far was handed on */
bool log_pump_is_acknowledged(const struct log_pump *pump);
/* All that the script printed, dropped bytes included. */
uint64_t log_pump_bytes(const struct log_pump *pump, enum log_stream stream);
