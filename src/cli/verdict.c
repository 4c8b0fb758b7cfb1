#include "cli/verdict.h"

#include <sys/stat.h>

#include "base/str.h"
#include "cli/api_client.h"
#include "core/job.h"
#include "core/limits.h"

#define NAME_BYTES	256
#define USAGE_EXIT_CODE 2 /* what argument parsers end with */

static enum outcome outcome_of(const json_t *job)
{
	const char *name = api_text(job, "outcome");

	for (int outcome = OUTCOME_COMPLETED; name && outcome < OUTCOME_MAX; outcome++) {
		if (str_eq(name, outcome_name((enum outcome)outcome)))
			return (enum outcome)outcome;
	}
	return OUTCOME_NONE;
}

int verdict_exit_code(const json_t *job)
{
	const char *state = api_text(job, "state");
	enum outcome outcome = outcome_of(job);
	const json_t *code = json_object_get(job, "exit_code");
	int own = json_is_integer(code) ? (int)(json_integer_value(code) & 0xff) : 0;

	if (outcome == OUTCOME_NONE && state && str_eq(state, "cancelled"))
		return outcome_exit_code(OUTCOME_CANCELLED, own);
	if (outcome == OUTCOME_NONE)
		return EXIT_RGRID_FAILED;
	own = outcome_exit_code(outcome, own);
	/* Success is said by the outcome alone. */
	return own == 0 && outcome != OUTCOME_COMPLETED ? EXIT_SOME_FAILED : own;
}

bool verdict_is_misplaced_option(const char *argument)
{
	static const char *const options[] = {
		"--runtime", "--env",	   "--cpus",	 "--memory", "--timeout",
		"--network", "--retries",  "--label",	 "--batch",  "--output-dir",
		"--detach",  "--parallel", "--no-stdin", "--file",
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		size_t bytes = strlen(options[i]);

		if (strncmp(argument, options[i], bytes) == 0 &&
		    (argument[bytes] == '\0' || argument[bytes] == '='))
			return true;
	}
	return false;
}

static bool hint_misplaced(struct terminal *terminal, const char *const *arguments)
{
	for (; arguments && *arguments; arguments++) {
		if (verdict_is_misplaced_option(*arguments)) {
			terminal_hint(terminal,
				      "%s was given to the script; options of rgrid go before it",
				      *arguments);
			return true;
		}
	}
	return false;
}

/* The text between `before` and the next quote or end of line, if it is in `text`. */
static bool quoted_after(const char *text, const char *before, char out[NAME_BYTES])
{
	const char *found = strstr(text, before);
	const char *next;
	size_t bytes;

	/* The last one counts: it ended the script. */
	while (found && (next = strstr(found + 1, before)) != NULL)
		found = next;
	if (!found)
		return false;
	found += strlen(before);
	bytes = strcspn(found, "'\"\n");
	if (bytes == 0 || bytes >= NAME_BYTES)
		return false;
	memcpy(out, found, bytes);
	out[bytes] = '\0';
	return true;
}

static bool exists(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0;
}

static bool hint_module(struct terminal *terminal, const char *tail)
{
	char module[NAME_BYTES];
	CLEANUP(cleanup_free) char *file = NULL;

	if (!quoted_after(tail, "ModuleNotFoundError: No module named '", module))
		return false;
	module[strcspn(module, ".")] = '\0';
	file = xasprintf("%s.py", module);
	if (exists(file) || exists(module))
		terminal_hint(terminal, "send it along: --file %s", exists(file) ? file : module);
	else
		terminal_hint(terminal,
			      "the workers' Python has no module %s; put it beside the "
			      "script and send it with --file",
			      module);
	return true;
}

static bool hint_missing_file(struct terminal *terminal, const char *tail)
{
	static const char *const befores[] = {
		"FileNotFoundError: [Errno 2] No such file or directory: '",
		"ENOENT: no such file or directory, open '",
	};
	char name[NAME_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(befores); i++) {
		if (quoted_after(tail, befores[i], name) && exists(name)) {
			terminal_hint(terminal,
				      "%s is here but was not named by an argument; send "
				      "it with --file %s",
				      name, name);
			return true;
		}
	}
	return false;
}

static bool hint_network(struct terminal *terminal, const json_t *job, const char *tail)
{
	static const char *const signs[] = {
		"Temporary failure in name resolution",
		"Name or service not known",
		"Network is unreachable",
		"ENETUNREACH",
		"EAI_AGAIN",
		"Could not resolve host",
	};
	const char *network = api_text(json_object_get(job, "spec"), "network");

	if (network && str_eq(network, "public"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		if (strstr(tail, signs[i])) {
			terminal_hint(terminal,
				      "jobs have no network unless asked for: --network public");
			return true;
		}
	}
	return false;
}

/* Twice the limit that the job had, as an option's value. */
static void hint_limit(struct terminal *terminal, const json_t *job, const char *member,
		       const char *option, uint64_t limit_default)
{
	const json_t *limits = json_object_get(json_object_get(job, "spec"), "limits");
	uint64_t limit = (uint64_t)api_number(limits, member);
	uint64_t mib;

	if (limit == 0)
		limit = limit_default;
	mib = limit * 2 / MIB;
	if (mib >= 1024 && mib % 1024 == 0)
		terminal_hint(terminal, "raise the limit with %s %lluG", option,
			      (unsigned long long)(mib / 1024));
	else
		terminal_hint(terminal, "raise the limit with %s %lluM", option,
			      (unsigned long long)mib);
}

static void hint_timeout(struct terminal *terminal, const json_t *job)
{
	const json_t *limits = json_object_get(json_object_get(job, "spec"), "limits");
	uint64_t limit_ms = (uint64_t)api_number(limits, "timeout_ms");

	if (limit_ms == 0)
		limit_ms = DEFAULT_TIMEOUT_MS;
	if (limit_ms >= 30ULL * 60 * 1000)
		terminal_hint(terminal, "raise the limit with --timeout %lluh",
			      (unsigned long long)((limit_ms * 2 + 3599999) / 3600000));
	else
		terminal_hint(terminal, "raise the limit with --timeout %llus",
			      (unsigned long long)((limit_ms * 2 + 999) / 1000));
}

static void hint_for(struct terminal *terminal, const json_t *job, enum outcome outcome,
		     const char *tail, const char *const *arguments)
{
	switch (outcome) {
	case OUTCOME_OUT_OF_MEMORY:
		hint_limit(terminal, job, "memory_bytes", "--memory", DEFAULT_MEMORY_BYTES);
		return;
	case OUTCOME_OUT_OF_DISK:
		hint_limit(terminal, job, "disk_bytes", "--disk", DEFAULT_DISK_BYTES);
		return;
	case OUTCOME_TIMED_OUT:
		hint_timeout(terminal, job);
		return;
	case OUTCOME_OUT_OF_PIDS:
		terminal_hint(terminal, "raise the limit with --pids %d", DEFAULT_PIDS * 4);
		return;
	case OUTCOME_FAILED:
		if (hint_module(terminal, tail) || hint_missing_file(terminal, tail) ||
		    hint_network(terminal, job, tail))
			return;
		if (verdict_exit_code(job) == USAGE_EXIT_CODE)
			(void)hint_misplaced(terminal, arguments);
		return;
	case OUTCOME_NONE:
	case OUTCOME_COMPLETED:
	case OUTCOME_CANCELLED:
	case OUTCOME_LOST:
	case OUTCOME_SYSTEM_ERROR:
	case OUTCOME_REJECTED:
	case OUTCOME_MAX:
		return;
	}
}

void verdict_explain(struct terminal *terminal, const json_t *job, const char *stderr_tail,
		     const char *const *arguments)
{
	enum outcome outcome = outcome_of(job);
	const char *id = api_text(job, "id");
	const char *message = api_text(job, "message");
	int exit_code = verdict_exit_code(job);

	if (exit_code == 0)
		return;
	if (!message || !message[0])
		message = outcome == OUTCOME_NONE ? "it ended without a result"
						  : outcome_message(outcome);
	if (outcome == OUTCOME_FAILED && exit_code > 128)
		terminal_note(terminal, "%s: %s (signal %d)", id ? id : "job", message,
			      exit_code - 128);
	else if (outcome == OUTCOME_FAILED && !strstr(message, "exit"))
		terminal_note(terminal, "%s: %s (exit code %d)", id ? id : "job", message,
			      exit_code);
	else
		terminal_note(terminal, "%s: %s", id ? id : "job", message);
	hint_for(terminal, job, outcome, stderr_tail, arguments);
}
