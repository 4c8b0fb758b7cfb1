/* A job's specification: what the user asked for, immutable once accepted. It travels as JSON
 * (API body, then job.spec in the database, then the worker); this is its one parser and its one
 * writer, so the API, the worker and the command line cannot disagree. docs/api.md shows the
 * members.
 *
 * {
 *   "name": "nightly",                       optional
 *   "runtime": "python",                     python | node | bash | exec
 *   "script": {"name": "process.py",         relative path in the work directory; the cwd is the
 *              "blob": "<sha256>"            work directory's root
 *              | "content": "print(1)"},     inline text instead of a blob
 *   "args": ["input.csv", "--fast"],
 *   "stdin": {"blob": "<sha256>"},           optional; else empty
 *   "files": [{"path": "input.csv", "blob": "<sha256>", "executable": false}],
 *   "directories": ["out/empty"],            optional: empty directories to make
 *   "env": {"KEY": "value"},
 *   "limits": {"cpus": 1, "memory_bytes": 536870912, "timeout_ms": 3600000,
 *              "pids": 256, "disk_bytes": 2147483648},
 *   "network": "none" | "public",
 *   "retries": 0,
 *   "labels": {"team": "x"}
 * }
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

enum job_network { NETWORK_NONE = 1, NETWORK_PUBLIC };

struct job_file {
	const char *path; /* checked by fs_path_check_relative, unique within the job */
	uint8_t blob[SHA256_BYTES];
	bool executable;
};

struct job_env {
	const char *key;
	const char *value;
};

struct job_limits {
	uint64_t cpu_millis;
	uint64_t memory_bytes;
	uint64_t timeout_ms;
	uint64_t pids;
	uint64_t disk_bytes;
};

/* All text is borrowed from `json`, which the spec holds a reference to. */
struct job_spec {
	json_t *json;
	const char *name; /* NULL: none */
	const struct runtime *runtime;
	const char *script_name;
	bool script_has_blob;
	uint8_t script_blob[SHA256_BYTES];
	const char *script_content; /* NULL if a blob */
	bool has_stdin;
	uint8_t stdin_blob[SHA256_BYTES];
	const char **args; /* NULL-terminated */
	size_t arg_count;
	struct job_file *files;
	size_t file_count;
	const char **directories;
	size_t directory_count;
	struct job_env *env;
	size_t env_count;
	struct job_limits limits;
	enum job_network network;
	uint64_t retries;
	const json_t *labels; /* object, maybe NULL */
};

/* Reads and checks every member. `path` prefixes field names in errors ("" or "jobs[3]"). Defaults
 * are filled in. All keys of maps are checked: env names are [A-Za-z_][A-Za-z0-9_]*, not starting
 * with "RGRID_"; label keys and values are non-empty printable text, keys without '='. No two of
 * script, files and directories may have the same path, and none may lie below a file.
 * ERR_INVALID, with the field at fault. The result holds a reference to `json`; the caller must not
 * change it any more. */
MUST_CHECK int job_spec_read(const json_t *json, const char *path, struct job_spec *ret,
			     struct error *err);
void job_spec_release(struct job_spec *spec);
#define cleanup_job_spec job_spec_release

/* The member "labels" of any object, under the rules for a job's. */
void job_labels_read(struct json_reader *reader, const json_t **ret);

/* Calls `visit` for each blob that the job needs (script, stdin, files), with the JSON path of the
 * field. Stops at the first non-zero return and returns it. */
int job_spec_each_blob(const struct job_spec *spec,
		       int (*visit)(void *context, const uint8_t blob[SHA256_BYTES],
				    const char *field),
		       void *context);
