#include "worker/log_pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "worker/timer.h"

/* Reads of one turn, so that a script that floods its pipe does not keep the others waiting. */
#define READS_PER_TURN 4
#define STREAM_COUNT   (STREAM_SYSTEM + 1)

enum chunk_state { CHUNK_WAITING = 1, CHUNK_IN_FLIGHT };

struct chunk {
	struct chunk *next;
	enum chunk_state state;
	struct log_chunk log;
	char data[];
};

struct pipe_end {
	struct log_pump *pump;
	enum log_stream stream;
	int fd;
	sd_event_source *io;
};

struct log_pump {
	struct log_pump_options options;
	struct pipe_end pipes[2];
	struct chunk *oldest; /* not acknowledged, in order */
	struct chunk **newest;
	size_t chunk_count;
	size_t unacknowledged_bytes; /* of closed chunks */
	size_t in_flight;
	bool failed_in_flight; /* a sending failed: send no more until all are answered */
	char *filling;	       /* the open chunk: LIMIT_LOG_CHUNK_BYTES, NULL while none is */
	size_t filling_bytes;
	enum log_stream filling_stream;
	int32_t next_seq;
	uint64_t starts[STREAM_COUNT]; /* bytes put into chunks, by stream */
	uint64_t totals[STREAM_COUNT]; /* bytes read, by stream */
	bool truncated;
	struct timer flush;
};

static void on_flush(void *context)
{
	log_pump_flush(context);
}

struct log_pump *log_pump_new(const struct log_pump_options *options)
{
	struct log_pump *pump = xcalloc(1, sizeof(*pump));

	pump->options = *options;
	if (pump->options.bytes_max == 0)
		pump->options.bytes_max = LIMIT_LOG_BYTES;
	pump->newest = &pump->oldest;
	for (size_t i = 0; i < ARRAY_SIZE(pump->pipes); i++) {
		pump->pipes[i] = (struct pipe_end){
			.pump = pump,
			.stream = i == 0 ? STREAM_STDOUT : STREAM_STDERR,
			.fd = -1,
		};
	}
	timer_init(&pump->flush, options->event, SD_EVENT_PRIORITY_NORMAL, on_flush, pump);
	return pump;
}

static void pipe_close(struct pipe_end *end)
{
	end->io = sd_event_source_disable_unref(end->io);
	cleanup_fd(&end->fd);
	end->fd = -1;
}

void log_pump_free(struct log_pump *pump)
{
	if (!pump)
		return;
	log_pump_close(pump);
	timer_release(&pump->flush);
	while (pump->oldest) {
		struct chunk *chunk = pump->oldest;

		pump->oldest = chunk->next;
		free(chunk);
	}
	free(pump->filling);
	free(pump);
}

static bool has_room(const struct log_pump *pump)
{
	return pump->unacknowledged_bytes + pump->filling_bytes < LOG_PUMP_UNACKNOWLEDGED &&
	       pump->chunk_count < LOG_PUMP_CHUNKS_MAX;
}

/* The pipes are watched exactly while there is room for what they bring. */
static void watch_pipes(struct log_pump *pump)
{
	int enabled = has_room(pump) ? SD_EVENT_ON : SD_EVENT_OFF;

	for (size_t i = 0; i < ARRAY_SIZE(pump->pipes); i++) {
		if (pump->pipes[i].io)
			(void)sd_event_source_set_enabled(pump->pipes[i].io, enabled);
	}
}

static void send_waiting(struct log_pump *pump)
{
	if (pump->failed_in_flight)
		return;
	for (struct chunk *chunk = pump->oldest; chunk; chunk = chunk->next) {
		if (chunk->state == CHUNK_IN_FLIGHT)
			continue;
		if (!pump->options.send(pump->options.context, &chunk->log))
			return;
		chunk->state = CHUNK_IN_FLIGHT;
		pump->in_flight++;
	}
}

/* Turns what was filled into a chunk that waits to be sent. */
static void close_chunk(struct log_pump *pump)
{
	struct chunk *chunk;

	if (pump->filling_bytes == 0)
		return;
	chunk = xcalloc(1, sizeof(*chunk) + pump->filling_bytes);
	memcpy(chunk->data, pump->filling, pump->filling_bytes);
	chunk->state = CHUNK_WAITING;
	chunk->log = (struct log_chunk){
		.seq = pump->next_seq++,
		.stream = pump->filling_stream,
		.start = pump->starts[pump->filling_stream],
		.data = chunk->data,
		.bytes = pump->filling_bytes,
	};
	pump->starts[pump->filling_stream] += pump->filling_bytes;
	*pump->newest = chunk;
	pump->newest = &chunk->next;
	pump->chunk_count++;
	pump->unacknowledged_bytes += pump->filling_bytes;
	pump->filling_bytes = 0;
	timer_disarm(&pump->flush);
}

void log_pump_flush(struct log_pump *pump)
{
	close_chunk(pump);
	send_waiting(pump);
	watch_pipes(pump);
}

static void append(struct log_pump *pump, enum log_stream stream, const char *data, size_t bytes)
{
	while (bytes > 0) {
		size_t room;
		size_t now;

		if (pump->filling_stream != stream)
			close_chunk(pump);
		if (!pump->filling)
			pump->filling = xcalloc(1, LIMIT_LOG_CHUNK_BYTES);
		pump->filling_stream = stream;
		room = LIMIT_LOG_CHUNK_BYTES - pump->filling_bytes;
		now = bytes < room ? bytes : room;
		memcpy(pump->filling + pump->filling_bytes, data, now);
		pump->filling_bytes += now;
		data += now;
		bytes -= now;
		if (pump->filling_bytes == LIMIT_LOG_CHUNK_BYTES)
			close_chunk(pump);
		else
			timer_arm_if_idle(&pump->flush, LOG_PUMP_FLUSH_MS);
	}
}

void log_pump_say(struct log_pump *pump, const char *text)
{
	append(pump, STREAM_SYSTEM, text, strlen(text));
	append(pump, STREAM_SYSTEM, "\n", 1);
}

static uint64_t printed(const struct log_pump *pump)
{
	return pump->totals[STREAM_STDOUT] + pump->totals[STREAM_STDERR];
}

static void take(struct log_pump *pump, enum log_stream stream, const char *data, size_t bytes)
{
	uint64_t left = 0;

	if (printed(pump) < pump->options.bytes_max)
		left = pump->options.bytes_max - printed(pump);
	pump->totals[stream] += bytes;
	append(pump, stream, data, bytes < left ? bytes : (size_t)left);
	if (bytes > left && !pump->truncated) {
		pump->truncated = true;
		log_pump_say(pump, "rgrid: the log's limit is reached: further output is dropped");
	}
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct pipe_end *end = context;
	struct log_pump *pump = end->pump;
	char data[16 * KIB];

	(void)source;
	(void)events;
	for (int i = 0; i < READS_PER_TURN && has_room(pump); i++) {
		ssize_t got = read(fd, data, sizeof(data));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got <= 0) {
			pipe_close(end);
			break;
		}
		take(pump, end->stream, data, (size_t)got);
	}
	if (log_pump_ended(pump))
		close_chunk(pump);
	send_waiting(pump);
	watch_pipes(pump);
	if (log_pump_ended(pump))
		pump->options.on_progress(pump->options.context);
	return 0;
}

void log_pump_open(struct log_pump *pump, int stdout_fd, int stderr_fd)
{
	const int fds[] = {stdout_fd, stderr_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct pipe_end *end = &pump->pipes[i];

		CHECK(end->fd < 0);
		end->fd = fds[i];
		CHECK(sd_event_add_io(pump->options.event, &end->io, fds[i], EPOLLIN, on_readable,
				      end) >= 0);
	}
	watch_pipes(pump);
}

void log_pump_close(struct log_pump *pump)
{
	for (size_t i = 0; i < ARRAY_SIZE(pump->pipes); i++)
		pipe_close(&pump->pipes[i]);
}

/* Takes the oldest sending that is not answered yet out of the list, or back to waiting. */
static void answer_chunk(struct log_pump *pump, bool acknowledged)
{
	struct chunk **link = &pump->oldest;
	struct chunk *chunk;

	while (*link && (*link)->state != CHUNK_IN_FLIGHT)
		link = &(*link)->next;
	chunk = *link;
	CHECK(chunk != NULL);
	if (!acknowledged) {
		chunk->state = CHUNK_WAITING;
		pump->failed_in_flight = true;
		return;
	}
	*link = chunk->next;
	if (!chunk->next)
		pump->newest = link;
	pump->chunk_count--;
	pump->unacknowledged_bytes -= chunk->log.bytes;
	free(chunk);
}

void log_pump_answered(struct log_pump *pump, bool acknowledged)
{
	CHECK(pump->in_flight > 0);
	pump->in_flight--;
	answer_chunk(pump, acknowledged);
	if (pump->in_flight == 0)
		pump->failed_in_flight = false;
	watch_pipes(pump);
	if (log_pump_is_acknowledged(pump))
		pump->options.on_progress(pump->options.context);
}

void log_pump_resend(struct log_pump *pump)
{
	send_waiting(pump);
}

bool log_pump_ended(const struct log_pump *pump)
{
	return pump->pipes[0].fd < 0 && pump->pipes[1].fd < 0;
}

bool log_pump_is_sent(const struct log_pump *pump)
{
	if (pump->filling_bytes > 0 || pump->failed_in_flight)
		return false;
	for (const struct chunk *chunk = pump->oldest; chunk; chunk = chunk->next) {
		if (chunk->state != CHUNK_IN_FLIGHT)
			return false;
	}
	return true;
}

bool log_pump_is_acknowledged(const struct log_pump *pump)
{
	return pump->filling_bytes == 0 && !pump->oldest;
}

uint64_t log_pump_bytes(const struct log_pump *pump, enum log_stream stream)
{
	return pump->totals[stream];
}
