#include "hcloud/quota.h"

#include <stdio.h>

#define TEXT_BYTES 96

int quota_check(struct call *call, enum kind kind, size_t max)
{
	const char *resource = kind_singular(kind);
	char name[TEXT_BYTES];
	char message[TEXT_BYTES];
	const json_t *fault = faults_strike(&call->sim->faults, FAULT_QUOTA,
					    (const struct fault_subject[]){
						    {"project", call->project->name},
						    {"resource", resource},
						    {NULL, NULL},
					    });

	(void)snprintf(name, sizeof(name), "%s_limit", resource);
	(void)snprintf(message, sizeof(message), "%s limit exceeded", kind_title(kind));
	if (fault)
		max = (size_t)fault_int(fault, "max", 0);
	if (sim_table(call->sim, call->project, kind)->count < max)
		return 0;
	return problem_named(&call->problem, PROBLEM_RESOURCE_LIMIT_EXCEEDED,
			     fault ? fault_str(fault, "name", name) : name, "%s",
			     fault ? fault_str(fault, "message", message) : message);
}
