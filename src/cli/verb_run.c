#include "base/str.h"
#include "cli/money.h"
#include "cli/run.h"
#include "core/limits.h"

static const char description[] =
	"Arguments after SCRIPT go to the script as they are; rgrid's own options come before it. "
	"Existing files among the arguments travel along and keep their relative names (see: rgrid "
	"help files). What is piped in becomes the script's standard input. The output is shown as "
	"it comes; files that the script writes come back to where it would have written them "
	"here; the exit code is the script's (see: rgrid help exit-codes).\n\n"
	"Ctrl-C leaves the job running and says how to come back; a second Ctrl-C ends rgrid at "
	"once.\n\n"
	"With --batch or --each-line one job is run for each file or line, which replaces {} in "
	"the arguments or is appended to them. The outputs of each land in outputs/ITEM/, what it "
	"wrote in outputs/ITEM.stdout and outputs/ITEM.stderr, where ITEM is the file's path. The "
	"exit code is 0 if all succeeded, 1 if some failed, 125 if "
	"RGrid "
	"failed some.";

static const char examples[] =
	"  rgrid run process.py input.csv --fast\n"
	"  sort big.txt | rgrid run --memory 2G count.py > counts.txt\n"
	"  rgrid run --file lib --env API_KEY --network public fetch.py\n"
	"  rgrid run --batch 'data/**/*.csv' --parallel 50 process.py --in {} --out result.json\n"
	"  rgrid run --each-line urls.txt --network public fetch.py\n"
	"  rgrid attach $(rgrid run --detach train.py)\n";

static void run_options_release(struct run_options *options)
{
	opt_list_release(&options->job.env);
	opt_list_release(&options->job.labels);
	opt_list_release(&options->files);
}

static int check(const struct run_options *options, struct error *err)
{
	bool is_batch = options->batch_pattern || options->lines_path;

	if (options->batch_pattern && options->lines_path)
		return error_set(err, ERR_INVALID, "--batch and --each-line exclude each other");
	if (!is_batch &&
	    (options->parallel || options->max_fails || options->max_cost || options->flat))
		return error_set(err, ERR_INVALID,
				 "--parallel, --max-fails, --max-cost and --flat are for batches: "
				 "add --batch "
				 "or --each-line");
	if (options->detach && options->cancel_on_interrupt)
		return error_set(err, ERR_INVALID,
				 "--detach and --cancel-on-interrupt exclude each other");
	return 0;
}

static int run(struct verb_call *call, const struct run_options *options, struct error *err)
{
	CLEANUP(cleanup_session) struct session session = {0};
	CLEANUP(cleanup_free)
	const char **arguments = xcalloc((size_t)call->positional_count, sizeof(arguments[0]));
	const struct run_call what = {
		.options = options,
		.script = call->positional[0],
		.arguments = arguments,
		.argument_count = (size_t)call->positional_count - 1,
	};

	for (int i = 1; i < call->positional_count; i++)
		arguments[i - 1] = call->positional[i];
	if (check(options, err) != 0 || session_open(call, &session, err) != 0)
		return -1;
	return options->batch_pattern || options->lines_path ? run_batch(&session, &what, err)
							     : run_single(&session, &what, err);
}

int verb_run(struct verb_call *call, struct error *err)
{
	CLEANUP(run_options_release) struct run_options o = {0};
	const struct opt options[] = {
		OPT_STR(0, "runtime", "NAME", &o.job.runtime,
			"python, node, bash or exec; by default what fits the script", "runtime"),
		OPT_LIST('e', "env", "K[=V]", &o.job.env,
			 "Set a variable for the script, or pass on our own", NULL),
		OPT_LIST('f', "file", "PATH", &o.files, "Send a file or directory along", "file"),
		OPT_MILLIS(0, "cpus", "N", &o.job.cpu_millis, "Processors, also fractions"),
		OPT_BYTES(0, "memory", "SIZE", &o.job.memory_bytes, "Memory limit (default 512M)"),
		OPT_BYTES(0, "disk", "SIZE", &o.job.disk_bytes,
			  "Limit of the working directory (default 2G)"),
		OPT_U64(0, "pids", "N", &o.job.pids, LIMIT_PIDS_MIN, LIMIT_PIDS_MAX,
			"Limit of processes and threads (default 256)"),
		OPT_DURATION(0, "timeout", "TIME", &o.job.timeout_ms,
			     "Time limit, such as 90s or 2h (default 1h)"),
		OPT_STR(0, "network", "KIND", &o.job.network, "none (default) or public",
			"none public"),
		OPT_U64(0, "retries", "N", &o.job.retries, 0, LIMIT_RETRIES,
			"Run a failed script again up to N times"),
		OPT_LIST('l', "label", "K=V", &o.job.labels, "Label, to be found by later", NULL),
		OPT_STR('n', "name", "NAME", &o.job.name, "Name of the job or batch", NULL),
		OPT_STR('o', "output-dir", "DIR", &o.output_directory,
			"Where output files land (default: here; for a batch: outputs)",
			"directory"),
		OPT_FLAG('d', "detach", &o.detach, "Print the id and do not wait"),
		OPT_FLAG(0, "no-stdin", &o.no_stdin, "Leave standard input alone"),
		OPT_FLAG(0, "cancel-on-interrupt", &o.cancel_on_interrupt,
			 "Ctrl-C cancels instead of detaching"),
		OPT_STR('b', "batch", "GLOB", &o.batch_pattern,
			"One job for each file that matches the (quoted) pattern", "file"),
		OPT_STR(0, "each-line", "FILE", &o.lines_path,
			"One job for each line of the file, - for standard input", "file"),
		OPT_U64('p', "parallel", "N", &o.parallel, 1, LIMIT_PARALLEL,
			"At most N jobs of the batch at a time"),
		OPT_U64(0, "max-fails", "N", &o.max_fails, 1, UINT32_MAX,
			"Cancel the rest of the batch after N failures"),
		OPT_STR(0, "max-cost", "EUROS", &o.max_cost,
			"Cancel the rest of the batch when its jobs have cost so much", NULL),
		OPT_FLAG(0, "flat", &o.flat, "All outputs of a batch in one directory"),
	};
	struct opt_command command = {
		.synopsis = "[options] SCRIPT [ARGS...]",
		.description = description,
		.examples = examples,
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.stop_at_positional = true,
	};
	int parsed = verb_parse(call, &command, 1, LIMIT_ARGS_COUNT + 1, err);

	if (parsed <= 0)
		return parsed;
	if (o.max_cost && money_parse(o.max_cost, LIMIT_MONEY_MICROS, &o.max_cost_micros, err) < 0)
		return error_wrap(err, "--max-cost");
	if (o.max_cost && o.max_cost_micros == 0)
		return error_set(err, ERR_INVALID, "--max-cost: it must be more than nothing");
	return run(call, &o, err);
}
