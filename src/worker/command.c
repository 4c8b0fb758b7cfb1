#include "worker/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "core/id.h"
#include "core/runtime.h"

/* RGRID_JOB_ID, _BATCH_ID, _INDEX, _ATTEMPT, PYTHONUNBUFFERED, and the NULL */
#define OWN_ENV_MAX 6

/* As the user would name it to an interpreter; with its directory where it would be searched for.
 */
static char *script_word(const struct job_spec *spec)
{
	if (spec->runtime->argv[0] == NULL)
		return xasprintf("/work/%s", spec->script_name);
	if (spec->script_name[0] == '-')
		return xasprintf("./%s", spec->script_name);
	return xstrdup(spec->script_name);
}

static void build_argv(struct command *command, const struct job_spec *spec)
{
	size_t prefix = 0;
	size_t count = 0;

	while (spec->runtime->argv[prefix])
		prefix++;
	command->argv = xcalloc(prefix + 1 + spec->arg_count + 1, sizeof(*command->argv));
	for (size_t i = 0; i < prefix; i++)
		command->argv[count++] = spec->runtime->argv[i];
	command->argv[count++] = command->program;
	for (size_t i = 0; i < spec->arg_count; i++)
		command->argv[count++] = spec->args[i];
}

static bool job_sets(const struct job_spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->env_count; i++) {
		if (str_eq(spec->env[i].key, key))
			return true;
	}
	return false;
}

static void build_envp(struct command *command, const struct job_spec *spec,
		       const struct command_identity *identity)
{
	char id[ID_TEXT_BYTES];
	size_t count = 0;

	command->envp = xcalloc(spec->env_count + OWN_ENV_MAX, sizeof(*command->envp));
	for (size_t i = 0; i < spec->env_count; i++)
		command->envp[count++] = xasprintf("%s=%s", spec->env[i].key, spec->env[i].value);
	command->envp[count++] =
		xasprintf("RGRID_JOB_ID=%s", id_format(ID_JOB, identity->job_id, id));
	command->envp[count++] = xasprintf("RGRID_ATTEMPT=%d", identity->attempt);
	if (identity->batch_id != 0) {
		command->envp[count++] =
			xasprintf("RGRID_BATCH_ID=%s", id_format(ID_BATCH, identity->batch_id, id));
		command->envp[count++] = xasprintf("RGRID_INDEX=%d", identity->batch_index);
	}
	/* Output must not sit in the interpreter while somebody watches the log. */
	if (!job_sets(spec, "PYTHONUNBUFFERED"))
		command->envp[count++] = xstrdup("PYTHONUNBUFFERED=1");
}

void command_init(struct command *command, const struct job_spec *spec,
		  const struct command_identity *identity)
{
	*command = (struct command){.program = script_word(spec)};
	build_argv(command, spec);
	build_envp(command, spec, identity);
}

void command_release(struct command *command)
{
	for (char **item = command->envp; item && *item; item++)
		free(*item);
	free(command->envp);
	free(command->argv);
	free(command->program);
	*command = (struct command){0};
}
