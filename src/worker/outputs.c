#include "worker/outputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "core/limits.h"
#include "worker/collect.h"

enum send_state { SEND_DUE = 1, SEND_IN_FLIGHT, SEND_ACKNOWLEDGED };

struct outputs {
	struct outputs_options options;
	struct collect *collect;
	struct transfer *upload;
	int upload_fd;
	struct worker_artifact *artifacts; /* paths are the collect's */
	size_t count;
	size_t capacity;
	enum send_state send_state;
	uint64_t send_group;
};

static bool is_uploaded(const struct outputs *outputs, const uint8_t blob[SHA256_BYTES])
{
	for (size_t i = 0; i < outputs->count; i++) {
		if (memcmp(outputs->artifacts[i].blob, blob, SHA256_BYTES) == 0)
			return true;
	}
	return false;
}

static void add(struct outputs *outputs, const struct collected_file *file)
{
	struct worker_artifact *artifact;

	CHECK(outputs->count < LIMIT_ARTIFACTS_COUNT);
	if (outputs->count == outputs->capacity) {
		outputs->capacity = outputs->capacity ? outputs->capacity * 2 : 4;
		outputs->artifacts = xreallocarray(outputs->artifacts, outputs->capacity,
						   sizeof(*outputs->artifacts));
	}
	artifact = &outputs->artifacts[outputs->count++];
	*artifact = (struct worker_artifact){
		.path = file->path,
		.size_bytes = file->size_bytes,
		.executable = file->executable,
	};
	memcpy(artifact->blob, file->blob, SHA256_BYTES);
}

static void on_upload_done(void *context, const struct error *failure)
{
	struct outputs *outputs = context;
	struct error err;

	outputs->upload = NULL;
	cleanup_fd(&outputs->upload_fd);
	outputs->upload_fd = -1;
	if (!failure) {
		collect_next(outputs->collect);
		return;
	}
	err = *failure;
	(void)error_wrap(&err, "output %s", outputs->artifacts[outputs->count - 1].path);
	outputs->count = 0;
	outputs->options.on_uploaded(outputs->options.context, &err);
}

static void on_file(void *context, const struct collected_file *file, int fd)
{
	struct outputs *outputs = context;
	bool there = is_uploaded(outputs, file->blob);

	add(outputs, file);
	if (there) {
		cleanup_fd(&fd);
		collect_next(outputs->collect);
		return;
	}
	outputs->upload_fd = fd;
	outputs->upload = transfer_upload(outputs->options.transfers, file->blob, fd,
					  file->size_bytes, on_upload_done, outputs);
}

static void say(void *context, const char *text)
{
	struct outputs *outputs = context;

	outputs->options.say(outputs->options.context, text);
}

static void on_collected(void *context)
{
	struct outputs *outputs = context;

	outputs->options.on_uploaded(outputs->options.context, NULL);
}

struct outputs *outputs_new(const struct outputs_options *options)
{
	struct outputs *outputs = xcalloc(1, sizeof(*outputs));
	const struct collect_options collect = {
		.event = options->event,
		.work_fd = options->work_fd,
		.staged = options->staged,
		.staged_count = options->staged_count,
		.bytes_max = options->bytes_max,
		.context = outputs,
		.say = say,
		.on_file = on_file,
		.on_done = on_collected,
	};

	outputs->options = *options;
	outputs->upload_fd = -1;
	outputs->send_state = SEND_DUE;
	outputs->collect = collect_new(&collect);
	return outputs;
}

void outputs_abandon(struct outputs *outputs)
{
	transfer_cancel(TAKE_PTR(outputs->upload));
	cleanup_fd(&outputs->upload_fd);
	outputs->upload_fd = -1;
	outputs->count = 0;
	collect_free(TAKE_PTR(outputs->collect));
}

void outputs_free(struct outputs *outputs)
{
	if (!outputs)
		return;
	outputs_abandon(outputs);
	free(outputs->artifacts);
	free(outputs);
}

static void on_sent(void *context, enum worker_verdict verdict, const struct error *err)
{
	struct outputs *outputs = context;

	outputs->send_state = err ? SEND_DUE : SEND_ACKNOWLEDGED;
	if (!err && verdict == VERDICT_LOST)
		outputs->options.on_lost(outputs->options.context);
	outputs->options.on_sent(outputs->options.context, err);
}

bool outputs_send(struct outputs *outputs)
{
	struct worker_link *link = outputs->options.link;

	if (outputs->count == 0)
		return true;
	switch (outputs->send_state) {
	case SEND_DUE:
		if (!worker_link_is_up(link))
			return false;
		outputs->send_state = SEND_IN_FLIGHT;
		outputs->send_group = worker_link_group(link);
		worker_link_artifacts(link, &outputs->options.lease, outputs->artifacts,
				      outputs->count, on_sent, outputs);
		return true;
	case SEND_IN_FLIGHT:
		return outputs->send_group == worker_link_group(link);
	case SEND_ACKNOWLEDGED:
		return true;
	}
	UNREACHABLE();
}

bool outputs_is_idle(const struct outputs *outputs)
{
	return outputs->send_state != SEND_IN_FLIGHT;
}
