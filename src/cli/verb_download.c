#include <unistd.h>

#include "base/str.h"
#include "cli/batch_watch.h"
#include "cli/job_view.h"
#include "cli/outputs.h"
#include "cli/run.h"
#include "cli/table.h"
#include "cli/target.h"

#define TEXT_BYTES_MAX (64ULL * 1024 * 1024)

struct download_options {
	const char *output_directory;
	const char *file;
	bool list;
	bool flat;
	bool as_json;
};

static int list_outputs(struct session *session, const char *id, bool as_json, struct error *err)
{
	static const char *const headings[] = {"SIZE", "SHA256", "PATH"};
	CLEANUP(cleanup_table) struct table *table = table_new(headings, ARRAY_SIZE(headings));
	CLEANUP(cleanup_json) json_t *items = NULL;
	CLEANUP(cleanup_json) json_t *document = NULL;
	CLEANUP(cleanup_buf) struct buf text = {0};
	const json_t *item;
	size_t index;

	buf_init(&text, TEXT_BYTES_MAX);
	if (outputs_list(session->api, id, &items, err) != 0)
		return -1;
	json_array_foreach (items, index, item) {
		char size[32], digest[13] = "";

		table_cell(table, format_bytes((uint64_t)api_number(item, "size_bytes"), size,
					       sizeof(size)));
		(void)snprintf(digest, sizeof(digest), "%s",
			       api_text(item, "sha256") ? api_text(item, "sha256") : "");
		table_cell(table, digest);
		table_cell(table, api_text(item, "path"));
	}
	if (as_json) {
		document = json_pack("{s:O}", "items", items);
		view_json(document, &text);
	} else if (json_array_size(items) > 0) {
		table_render(table, session->terminal, &text);
	} else {
		terminal_note(session->terminal, "%s has no output files", id);
	}
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}

static void say_fetched(struct terminal *terminal, const struct outputs *outputs)
{
	char bytes[32];

	terminal_note(terminal, "%llu files (%s) in %s", (unsigned long long)outputs->file_count,
		      format_bytes(outputs->total_bytes, bytes, sizeof(bytes)), outputs->directory);
}

static int download_job(struct session *session, const char *id,
			const struct download_options *options, struct error *err)
{
	CLEANUP(cleanup_outputs) struct outputs outputs;

	outputs_init(&outputs, session->api,
		     options->output_directory ? options->output_directory : ".");
	if (outputs_fetch(&outputs, id, "", options->file, err) != 0)
		return -1;
	say_fetched(session->terminal, &outputs);
	return 0;
}

static int download_batch(struct session *session, const char *id,
			  const struct download_options *options, struct error *err)
{
	const struct batch_watch_options batch = {
		.output_directory = options->output_directory ? options->output_directory
							      : RUN_BATCH_OUTPUT_DIRECTORY,
		.flat = options->flat,
	};
	uint64_t count;

	if (batch_fetch(session, id, &batch, &count, err) != 0)
		return -1;
	terminal_note(session->terminal, "outputs of %llu jobs in %s", (unsigned long long)count,
		      batch.output_directory);
	return 0;
}

static int download(struct verb_call *call, const struct download_options *options,
		    struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	const char *id = call->positional[0];
	bool is_batch = target_is_batch(id);

	if (is_batch && (options->list || options->file)) {
		error_set(err, ERR_INVALID, "--list and --file are for jobs, %s is a batch", id);
		return error_hint(err, "its jobs: rgrid list --batch %s", id);
	}
	if (session_open(call, &session, err) != 0)
		return -1;
	if (options->list || options->as_json)
		return list_outputs(&session, id, options->as_json, err);
	return is_batch ? download_batch(&session, id, options, err)
			: download_job(&session, id, options, err);
}

int verb_download(struct verb_call *call, struct error *err)
{
	struct download_options o = {0};
	const struct opt options[] = {
		OPT_STR('o', "output-dir", "DIR", &o.output_directory,
			"Where the files land (default: here; for a batch: outputs)", "directory"),
		OPT_STR('f', "file", "NAME", &o.file, "Only this file", NULL),
		OPT_FLAG(0, "list", &o.list, "Only list them"),
		OPT_FLAG(0, "flat", &o.flat, "All outputs of a batch in one directory"),
		OPT_FLAG(0, "json", &o.as_json, "List them as JSON"),
	};
	struct opt_command command = {
		.synopsis = "[options] ID",
		.description = "Files keep the names that the script gave them. Those of a batch "
			       "are laid out as run --batch does, for the jobs that have ended.",
		.examples = "  rgrid download last --list\n"
			    "  rgrid download batch_06f2kq --output-dir results\n",
		.options = options,
		.option_count = ARRAY_SIZE(options),
	};
	int parsed = verb_parse(call, &command, 1, 1, err);

	return parsed <= 0 ? parsed : download(call, &o, err);
}
