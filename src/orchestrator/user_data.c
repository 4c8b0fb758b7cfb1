#include "orchestrator/user_data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/encode.h"
#include "base/hash.h"
#include "base/str.h"

/* packaging/worker, embedded */
extern const char worker_boot_script[];
extern const char worker_bake_script[];
extern const char worker_unit[];
extern const char worker_deadline_unit[];

/* NAME="value", as both systemd and sh read it. */
static int env_append(struct buf *out, const char *name, const char *value, struct error *err)
{
	buf_appendf(out, "%s=\"", name);
	for (const char *c = value; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return error_set(err, ERR_INVALID,
					 "%s cannot be told to a machine: it has a control "
					 "character",
					 name);
		if (strchr("\"\\$`", *c) != NULL)
			buf_append_char(out, '\\');
		buf_append_char(out, *c);
	}
	buf_append_str(out, "\"\n");
	if (!str_is_utf8(value, strlen(value)))
		return error_set(err, ERR_INVALID, "%s is not UTF-8", name);
	return 0;
}

static void env_append_number(struct buf *out, const char *name, uint64_t number)
{
	buf_appendf(out, "%s=%" PRIu64 "\n", name, number);
}

/* In base64, so that nothing within can be taken for YAML. */
static void file_append(struct buf *out, const char *path, const char *mode, const char *text)
{
	buf_appendf(out, "- path: %s\n  owner: root:root\n  permissions: '%s'\n", path, mode);
	buf_append_str(out, "  encoding: b64\n  content: ");
	base64_append(out, text, strlen(text));
	buf_append_char(out, '\n');
}

static uint64_t seconds_of(uint64_t ms)
{
	return ms < 1000 ? 1 : ms / 1000;
}

static int lasting_values(const struct user_data *data, struct buf *out, struct error *err)
{
	const struct {
		const char *name;
		const char *value;
	} texts[] = {
		{"RGRID_WORKER_NAME", data->worker_name},
		{"RGRID_API_URL", data->api_url},
		{"RGRID_DATABASE_HOST", data->database_host},
		{"RGRID_BUNDLE_SHA256", data->bundle_sha256},
		{"RGRID_GATEWAY", data->gateway ? data->gateway : ""},
		{"RGRID_WAY_OUT", data->needs_way_out ? "yes" : "no"},
		{"RGRID_DNS", data->dns ? data->dns : ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (env_append(out, texts[i].name, texts[i].value, err) < 0)
			return -1;
	}
	env_append_number(out, "RGRID_START_S", seconds_of(data->start_ms));
	if (data->is_builder)
		return 0;
	env_append_number(out, "RGRID_SLOTS", data->slots);
	env_append_number(out, "RGRID_GIVE_UP_AFTER", seconds_of(data->lost_ms_max));
	return 0;
}

static int first_values(const struct user_data *data, struct buf *out, struct error *err)
{
	if (!data->is_builder && env_append(out, "RGRID_WORKER_DATABASE", data->login, err) < 0)
		return -1;
	return env_append(out, "RGRID_BUNDLE_TOKEN", data->bundle_token, err);
}

static int check_words(const struct user_data *data, struct error *err)
{
	static const char token_characters[] = "0123456789abcdefghijklmnopqrstuvwxyz"
					       "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	uint8_t digest[SHA256_BYTES];
	size_t bytes = strlen(data->bundle_token);

	if (!sha256_from_hex(data->bundle_sha256, digest))
		return error_set(err, ERR_INVALID, "the bundle's SHA-256 is none");
	if (bytes == 0 || strspn(data->bundle_token, token_characters) != bytes)
		return error_set(err, ERR_INVALID, "the bundle's token is none");
	return 0;
}

static void worker_append(struct buf *out)
{
	file_append(out, "/etc/systemd/system/rgrid-worker.service", "0644", worker_unit);
	file_append(out, "/etc/systemd/system/rgrid-deadline.service", "0644",
		    worker_deadline_unit);
}

/* Not by cloud-init itself, whose traces it removes: when that has ended. */
static void builder_append(struct buf *out)
{
	file_append(out, "/usr/local/lib/rgrid/bake", "0755", worker_bake_script);
	buf_append_str(out, "runcmd:\n- [systemd-run, --unit=rgrid-bake, --no-block, "
			    "--property=After=cloud-final.service, "
			    "--property=StandardError=journal+console, "
			    "/usr/local/lib/rgrid/bake]\n");
}

/* The machine's time to start is counted from here, whatever becomes of the script. */
static void commands_append(struct buf *out, const struct user_data *data)
{
	buf_append_str(out, "runcmd:\n- [systemctl, daemon-reload]\n");
	buf_appendf(out,
		    "- [systemd-run, --unit=rgrid-deadline-timer, --on-active=%" PRIu64
		    ", systemctl, start, rgrid-deadline.service]\n",
		    seconds_of(data->start_ms));
	buf_append_str(out, "- [/usr/local/lib/rgrid/boot]\n"
			    "- [systemctl, enable, --now, --no-block, rgrid-worker.service]\n");
}

int user_data_build(const struct user_data *data, char **ret, struct error *err)
{
	CLEANUP(cleanup_buf) struct buf lasting;
	CLEANUP(cleanup_buf) struct buf first;
	CLEANUP(cleanup_buf) struct buf out;

	buf_init(&lasting, USER_DATA_BYTES_MAX);
	buf_init(&first, USER_DATA_BYTES_MAX);
	buf_init(&out, USER_DATA_BYTES_MAX);
	if (check_words(data, err) < 0 || lasting_values(data, &lasting, err) < 0 ||
	    first_values(data, &first, err) < 0)
		return -1;
	buf_append_str(&out, "#cloud-config\nwrite_files:\n");
	file_append(&out, "/etc/rgrid/ca.crt", "0644", data->ca_pem);
	file_append(&out, "/etc/rgrid/worker.env", "0600", lasting.data);
	file_append(&out, "/etc/rgrid/first.env", "0600", first.data);
	file_append(&out, "/usr/local/lib/rgrid/boot", "0755", worker_boot_script);
	if (data->is_builder) {
		builder_append(&out);
	} else {
		worker_append(&out);
		commands_append(&out, data);
	}
	if (out.overflowed || lasting.overflowed || first.overflowed)
		return error_set(err, ERR_TOO_LARGE,
				 "a machine can be told at most %zu bytes: the CA or the login is "
				 "too long",
				 USER_DATA_BYTES_MAX);
	*ret = buf_detach(&out);
	return 0;
}
