#include "worker/log_pump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "tap.h"

/* Stands for the link: keeps what was sent, answers when told. */
struct fixture {
	sd_event *event;
	struct log_pump *pump;
	struct buf text[4]; /* by stream, of what was sent */
	struct buf order;   /* "o", "e", "s" for each chunk */
	int32_t last_seq;
	size_t sent;
	size_t answered;
	size_t bytes_sent;
	bool refusing;
	bool check_start;
	int out;
	int err;
};

static bool send_chunk(void *context, const struct log_chunk *chunk)
{
	struct fixture *fixture = context;

	if (fixture->refusing)
		return false;
	EXPECT(chunk->bytes > 0);
	EXPECT(chunk->bytes <= LIMIT_LOG_CHUNK_BYTES);
	if (fixture->check_start)
		EXPECT_INT(chunk->start, fixture->text[chunk->stream].bytes);
	buf_append(&fixture->text[chunk->stream], chunk->data, chunk->bytes);
	buf_append_char(&fixture->order, "?oes"[chunk->stream]);
	fixture->last_seq = chunk->seq;
	fixture->sent++;
	fixture->bytes_sent += chunk->bytes;
	return true;
}

static void on_progress(void *context)
{
	(void)context;
}

static void set_up(struct fixture *fixture, uint64_t bytes_max)
{
	struct log_pump_options options = {
		.bytes_max = bytes_max,
		.context = fixture,
		.send = send_chunk,
		.on_progress = on_progress,
	};
	int out[2];
	int err[2];

	*fixture = (struct fixture){.check_start = true, .last_seq = -1};
	for (size_t i = 0; i < 4; i++)
		buf_init(&fixture->text[i], 64 * MIB);
	buf_init(&fixture->order, 1 * MIB);
	EXPECT(sd_event_new(&fixture->event) >= 0);
	EXPECT(pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0);
	EXPECT(pipe2(err, O_CLOEXEC | O_NONBLOCK) == 0);
	options.event = fixture->event;
	fixture->pump = log_pump_new(&options);
	log_pump_open(fixture->pump, out[0], err[0]);
	fixture->out = out[1];
	fixture->err = err[1];
}

static void tear_down(struct fixture *fixture)
{
	log_pump_free(fixture->pump);
	for (size_t i = 0; i < 4; i++)
		buf_release(&fixture->text[i]);
	buf_release(&fixture->order);
	cleanup_fd(&fixture->out);
	cleanup_fd(&fixture->err);
	sd_event_unref(fixture->event);
}

static void print(int fd, const char *text)
{
	EXPECT_INT(write(fd, text, strlen(text)), strlen(text));
}

/* Turns the loop until nothing is left to do at once. */
static void settle(struct fixture *fixture)
{
	while (sd_event_run(fixture->event, 0) > 0)
		continue;
}

static void answer_all(struct fixture *fixture, bool acknowledged)
{
	size_t count = fixture->sent - fixture->answered;

	fixture->answered += count;
	for (size_t i = 0; i < count; i++)
		log_pump_answered(fixture->pump, acknowledged);
}

static void end(struct fixture *fixture)
{
	cleanup_fd(&fixture->out);
	cleanup_fd(&fixture->err);
	fixture->out = -1;
	fixture->err = -1;
}

TEST(short_output_is_one_chunk_after_a_while)
{
	struct fixture fixture;

	set_up(&fixture, 0);
	print(fixture.out, "one");
	settle(&fixture);
	print(fixture.out, " two");
	settle(&fixture);
	EXPECT_INT(fixture.sent, 0);
	/* The flush timer is the next thing that happens. */
	EXPECT(sd_event_run(fixture.event, UINT64_MAX) > 0);
	EXPECT_INT(fixture.sent, 1);
	EXPECT_STR(fixture.text[STREAM_STDOUT].data, "one two");
	EXPECT(!log_pump_is_acknowledged(fixture.pump));
	answer_all(&fixture, true);
	EXPECT(log_pump_is_acknowledged(fixture.pump));
	tear_down(&fixture);
}

TEST(streams_keep_their_order)
{
	struct fixture fixture;

	set_up(&fixture, 0);
	print(fixture.out, "a");
	settle(&fixture);
	print(fixture.err, "b");
	settle(&fixture);
	print(fixture.out, "c");
	settle(&fixture);
	log_pump_say(fixture.pump, "d");
	log_pump_flush(fixture.pump);
	EXPECT_STR(fixture.order.data, "oeos");
	EXPECT_STR(fixture.text[STREAM_STDOUT].data, "ac");
	EXPECT_STR(fixture.text[STREAM_SYSTEM].data, "d\n");
	EXPECT_INT(fixture.last_seq, 3);
	tear_down(&fixture);
}

TEST(the_end_of_both_pipes_sends_the_rest)
{
	struct fixture fixture;

	set_up(&fixture, 0);
	print(fixture.out, "last words");
	end(&fixture);
	settle(&fixture);
	EXPECT(log_pump_ended(fixture.pump));
	EXPECT_STR(fixture.text[STREAM_STDOUT].data, "last words");
	EXPECT(log_pump_is_sent(fixture.pump));
	tear_down(&fixture);
}

/* Fills the pipe until it is full; returns the bytes written. */
static size_t flood(int fd)
{
	char block[4096];
	size_t total = 0;
	ssize_t put;

	memset(block, 'x', sizeof(block));
	while ((put = write(fd, block, sizeof(block))) > 0)
		total += (size_t)put;
	return total;
}

TEST(unacknowledged_output_holds_the_script_back)
{
	struct fixture fixture;
	size_t written = 0;
	size_t now;

	set_up(&fixture, 0);
	do {
		now = flood(fixture.out);
		written += now;
		settle(&fixture);
	} while (now > 0);
	EXPECT(fixture.bytes_sent <= LOG_PUMP_UNACKNOWLEDGED + 64 * KIB);
	EXPECT(written > LOG_PUMP_UNACKNOWLEDGED);
	EXPECT(written < LOG_PUMP_UNACKNOWLEDGED + 256 * KIB);
	/* An acknowledgement lets it go on; nothing is lost. */
	answer_all(&fixture, true);
	settle(&fixture);
	EXPECT(flood(fixture.out) > 0);
	tear_down(&fixture);
}

TEST(megabytes_pass_whole)
{
	struct fixture fixture;
	size_t written = 0;

	set_up(&fixture, 0);
	while (written < 20 * MIB) {
		written += flood(fixture.out);
		settle(&fixture);
		answer_all(&fixture, true);
	}
	end(&fixture);
	while (!log_pump_ended(fixture.pump)) {
		settle(&fixture);
		answer_all(&fixture, true);
	}
	answer_all(&fixture, true);
	EXPECT_INT(fixture.text[STREAM_STDOUT].bytes, written);
	EXPECT_INT(log_pump_bytes(fixture.pump, STREAM_STDOUT), written);
	EXPECT(log_pump_is_acknowledged(fixture.pump));
	tear_down(&fixture);
}

TEST(a_failed_sending_is_repeated_in_order)
{
	struct fixture fixture;

	set_up(&fixture, 0);
	fixture.check_start = false;
	print(fixture.out, "a");
	settle(&fixture);
	print(fixture.err, "b");
	settle(&fixture);
	log_pump_flush(fixture.pump);
	EXPECT_INT(fixture.sent, 2);
	log_pump_answered(fixture.pump, false);
	/* The second is still on its way: sending the first now would change the order. */
	log_pump_resend(fixture.pump);
	EXPECT_INT(fixture.sent, 2);
	log_pump_answered(fixture.pump, false);
	log_pump_resend(fixture.pump);
	EXPECT_STR(fixture.order.data, "oeoe");
	log_pump_answered(fixture.pump, true);
	log_pump_answered(fixture.pump, true);
	EXPECT(log_pump_is_acknowledged(fixture.pump));
	tear_down(&fixture);
}

TEST(while_the_link_is_down_chunks_wait)
{
	struct fixture fixture;

	set_up(&fixture, 0);
	fixture.refusing = true;
	print(fixture.out, "patience");
	settle(&fixture);
	log_pump_flush(fixture.pump);
	EXPECT_INT(fixture.sent, 0);
	EXPECT(!log_pump_is_sent(fixture.pump));
	fixture.refusing = false;
	log_pump_resend(fixture.pump);
	EXPECT_STR(fixture.text[STREAM_STDOUT].data, "patience");
	tear_down(&fixture);
}

TEST(beyond_the_limit_output_is_dropped_with_a_word)
{
	struct fixture fixture;

	set_up(&fixture, 10);
	print(fixture.out, "0123456");
	settle(&fixture);
	print(fixture.err, "789abcdef");
	settle(&fixture);
	print(fixture.out, "more");
	end(&fixture);
	settle(&fixture);
	log_pump_flush(fixture.pump);
	EXPECT_STR(fixture.text[STREAM_STDOUT].data, "0123456");
	EXPECT_STR(fixture.text[STREAM_STDERR].data, "789");
	EXPECT_STR(fixture.text[STREAM_SYSTEM].data,
		   "rgrid: the log's limit is reached: further output is dropped\n");
	EXPECT_INT(log_pump_bytes(fixture.pump, STREAM_STDOUT), 11);
	EXPECT_INT(log_pump_bytes(fixture.pump, STREAM_STDERR), 9);
	tear_down(&fixture);
}
