/* Any bytes, split at NUL or line ends, as a command line. */
#include "base/opts.h"

#include "base/check.h"
#include "base/str.h"

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct values {
	bool detach;
	const char *name;
	struct opt_list labels;
	uint64_t retries;
	uint64_t memory_bytes;
	uint64_t timeout_ms;
	uint64_t cpu_millis;
};

static bool is_one_of(const char *text, const char *const *words, int count)
{
	for (int i = 0; i < count; i++) {
		if (words[i] == text)
			return true;
	}
	return false;
}

static void parse(bool stop, const char *const *words, int count)
{
	struct values values = {0};
	const struct opt options[] = {
		OPT_FLAG('d', "detach", &values.detach, "d"),
		OPT_STR('n', "name", "NAME", &values.name, "n", NULL),
		OPT_LIST('l', "label", "LABEL", &values.labels, "l", NULL),
		OPT_U64(0, "retries", "N", &values.retries, 0, 100, "r"),
		OPT_BYTES('m', "memory", "SIZE", &values.memory_bytes, "m"),
		OPT_DURATION('t', "timeout", "DURATION", &values.timeout_ms, "t"),
		OPT_MILLIS(0, "cpus", "N", &values.cpu_millis, "c"),
	};
	const struct opt_command command = {
		.name = "run",
		.synopsis = "",
		.summary = "",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.stop_at_positional = stop,
	};
	const char *argv[WORDS_MAX + 1] = {0};
	const char **positional = NULL;
	int positional_count = 0;
	bool help = false;
	struct error err = {0};

	memcpy(argv, words, (size_t)count * sizeof(*argv));
	int failed = opt_parse(&command, count, argv, &positional, &positional_count, &help, &err);

	CHECK((failed != 0) == (err.code != ERR_NONE));
	CHECK(values.retries <= 100);
	CHECK(values.memory_bytes <= INT64_MAX);
	CHECK(values.timeout_ms <= INT64_MAX);
	CHECK(positional_count >= 0);
	CHECK(positional_count <= count);
	for (int i = 0; failed == 0 && i < positional_count; i++)
		CHECK(is_one_of(positional[i], words, count));
	opt_list_release(&values.labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	CLEANUP(cleanup_free) char *text = xcalloc(bytes + 1, 1);
	const char *words[WORDS_MAX] = {0};
	int count = 0;

	if (bytes == 0)
		return 0;
	memcpy(text, data, bytes);
	for (size_t i = 0; i < bytes; i++)
		text[i] = (char)(text[i] == '\n' ? '\0' : text[i]);
	for (size_t at = 0; at < bytes && count < WORDS_MAX; at += strlen(text + at) + 1)
		words[count++] = text + at;
	parse(false, words, count);
	parse(true, words, count);
	return 0;
}
