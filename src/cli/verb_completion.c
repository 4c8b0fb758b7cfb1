#include <unistd.h>

#include "base/str.h"
#include "cli/verb.h"
#include "core/runtime.h"

#define TEXT_BYTES_MAX (1024ULL * 1024)

static void describe_completion(void *context, const struct opt_command *command)
{
	opt_bash_completion(command, "rgrid", context);
}

static bool is_same_word(const char *a, const char *b, size_t bytes)
{
	return strcspn(b, " ") == bytes && memcmp(a, b, bytes) == 0;
}

/* The first words of all verbs, each once. */
static void append_words(struct buf *out)
{
	for (size_t i = 0; i < verb_count(); i++) {
		const char *name = verb_at(i)->name;
		size_t bytes = name ? strcspn(name, " ") : 0;
		bool seen = false;

		for (size_t j = 0; j < i && name; j++)
			seen = seen ||
			       (verb_at(j)->name && is_same_word(name, verb_at(j)->name, bytes));
		if (!name || seen)
			continue;
		buf_append_char(out, ' ');
		buf_append(out, name, bytes);
	}
}

/* The second words after `first`. */
static void append_second_words(struct buf *out, const char *first)
{
	size_t bytes = strlen(first);

	for (size_t i = 0; i < verb_count(); i++) {
		const char *name = verb_at(i)->name;

		if (name && str_has_prefix(name, first) && name[bytes] == ' ')
			buf_appendf(out, " %s", name + bytes + 1);
	}
}

/* What the generated cases call: the words of a kind, asked from the server where it takes one. */
static void append_sources(struct buf *out)
{
	buf_append_str(out, "_rgrid_runtimes() { echo '");
	for (size_t i = 0; i < runtime_count(); i++)
		buf_appendf(out, "%s%s", i ? " " : "", runtime_at(i)->name);
	buf_append_str(out,
		       "'; }\n"
		       "_rgrid_jobs() { rgrid list --quiet --limit 20 2>/dev/null; echo last; }\n"
		       "_rgrid_batchs() { rgrid batch list --quiet --limit 20 2>/dev/null; echo "
		       "last; }\n"
		       "_rgrid_workers() { rgrid worker list --quiet 2>/dev/null; }\n");
}

static void append_start(struct buf *out)
{
	static const char *const firsts[] = {"batch", "worker", "fleet"};

	buf_append_str(out, "_rgrid() {\n"
			    "\tlocal word=${COMP_WORDS[COMP_CWORD]} "
			    "previous=${COMP_WORDS[COMP_CWORD-1]}\n"
			    "\tlocal verb=${COMP_WORDS[1]-} options=''\n"
			    "\tCOMPREPLY=()\n"
			    "\tif ((COMP_CWORD == 1)); then\n"
			    "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	append_words(out);
	buf_append_str(out, "' -- \"$word\"); return\n\tfi\n");
	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		const char *first = firsts[i];

		buf_appendf(out,
			    "\tif [[ $verb == %s ]]; then\n"
			    "\t\tif ((COMP_CWORD == 2)); then\n"
			    "\t\t\tmapfile -t COMPREPLY < <(compgen -W '",
			    first);
		append_second_words(out, first);
		buf_appendf(out,
			    "' -- \"$word\"); return\n\t\tfi\n"
			    "\t\tverb=\"%s ${COMP_WORDS[2]}\"\n\tfi\n",
			    first);
	}
	buf_append_str(out, "\tcase \"$verb\" in\n");
}

static const char end[] =
	"\tesac\n"
	"\tif [[ $word == -* ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\"); return\n"
	"\tfi\n"
	"\tcase \"$verb\" in\n"
	"\tattach|cancel|retry|status|logs|download)\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_rgrid_jobs)\" -- \"$word\") ;;\n"
	"\t'batch status'|'batch cancel')\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_rgrid_batchs)\" -- \"$word\") ;;\n"
	"\t'worker drain'|'worker undrain'|'worker delete')\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_rgrid_workers)\" -- \"$word\") ;;\n"
	"\trun) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
	"\tesac\n"
	"}\n"
	"complete -o filenames -F _rgrid rgrid\n";

int verb_completion(struct verb_call *call, struct error *err)
{
	struct opt_command command = {
		.synopsis = "bash",
		.description = "Load it with: source <(rgrid completion bash)",
	};
	int parsed = verb_parse(call, &command, 1, 1, err);
	CLEANUP(cleanup_buf) struct buf text = {0};

	buf_init(&text, TEXT_BYTES_MAX);
	if (parsed <= 0)
		return parsed;
	if (!str_eq(call->positional[0], "bash")) {
		error_set(err, ERR_INVALID, "there is no completion for \"%s\"",
			  call->positional[0]);
		return error_hint(err, "only bash so far");
	}
	append_sources(&text);
	append_start(&text);
	for (size_t i = 0; i < verb_count(); i++) {
		if (verb_at(i)->name && verb_at(i)->run)
			verb_describe(verb_at(i), call->terminal, describe_completion, &text);
	}
	buf_append_str(&text, end);
	return terminal_write(STDOUT_FILENO, text.data, text.bytes, err);
}
