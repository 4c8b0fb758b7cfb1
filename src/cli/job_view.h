/* Jobs, batches and workers as the API describes them, shown to people. */
#pragma once

#include "base/buf.h"
#include "base/json.h"
#include "cli/terminal.h"

enum style view_state_style(const char *state);
/* "3.2s", "4m 10s" from two times (the end may be NULL: now); "" without a start. */
void view_duration(const char *started_at, const char *finished_at, char *out, size_t size);
/* "label: value" lines. */
void view_job(const json_t *job, const struct terminal *terminal, struct buf *out);
void view_batch(const json_t *batch, const struct terminal *terminal, struct buf *out);
void view_jobs(const json_t *items, const struct terminal *terminal, struct buf *out);
void view_batches(const json_t *items, const struct terminal *terminal, struct buf *out);
void view_workers(const json_t *items, const struct terminal *terminal, struct buf *out);
/* "exit 3", "out of memory", "timed out"; "" while it runs. */
void view_outcome(const json_t *job, char *out, size_t size);
/* Indented JSON and a newline. */
void view_json(const json_t *json, struct buf *out);
