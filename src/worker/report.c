#include "worker/report.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define EXIT_SIGNAL_BASE 128

PRINTF_FORMAT(3, 4)
static void conclude(struct report *report, enum outcome outcome, const char *format, ...)
{
	va_list arguments;

	report->outcome = outcome;
	va_start(arguments, format);
	(void)vsnprintf(report->message, sizeof(report->message), format, arguments);
	va_end(arguments);
}

static void conclude_failed(struct report *report, int exit_code)
{
	int number = exit_code - EXIT_SIGNAL_BASE;
	const char *name = number > 0 ? sigabbrev_np(number) : NULL;

	if (name)
		conclude(report, OUTCOME_FAILED, "the script was killed by signal %d (SIG%s)",
			 number, name);
	else
		conclude(report, OUTCOME_FAILED, "the script ended with exit code %d", exit_code);
}

void report_ended(const struct report_facts *facts, struct report *ret)
{
	const struct sandbox_result *result = facts->result;
	const struct job_limits *limits = facts->limits;
	char text[64];

	*ret = (struct report){.exit_code = result->exit_code};
	if (facts->cancelled) {
		conclude(ret, OUTCOME_CANCELLED, "%s", outcome_message(OUTCOME_CANCELLED));
		ret->exit_code = -1;
	} else if (result->start_failed) {
		conclude(ret, OUTCOME_SYSTEM_ERROR, "%s", result->message);
		ret->exit_code = -1;
	} else if (facts->timed_out) {
		conclude(ret, OUTCOME_TIMED_OUT, "the time limit of %s was reached",
			 format_duration(limits->timeout_ms, text, sizeof(text)));
		ret->exit_code = -1;
	} else if (result->out_of_memory) {
		conclude(ret, OUTCOME_OUT_OF_MEMORY, "the memory limit of %s was reached",
			 format_bytes(limits->memory_bytes, text, sizeof(text)));
	} else if (result->exit_code == 0) {
		conclude(ret, OUTCOME_COMPLETED, "%s", "");
	} else if (result->out_of_pids) {
		conclude(ret, OUTCOME_OUT_OF_PIDS, "the limit of %llu processes was reached",
			 (unsigned long long)limits->pids);
	} else if (result->out_of_disk) {
		conclude(ret, OUTCOME_OUT_OF_DISK, "the work directory was full: its limit is %s",
			 format_bytes(limits->disk_bytes, text, sizeof(text)));
	} else {
		conclude_failed(ret, result->exit_code);
	}
}

void report_refused(enum outcome outcome, const char *message, struct report *ret)
{
	*ret = (struct report){.exit_code = -1};
	conclude(ret, outcome, "%s", message);
}
