#include "orchestrator/user_data.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/encode.h"
#include "tap.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct user_data sample(void)
{
	return (struct user_data){
		.worker_name = "w1",
		.slots = 2,
		.api_url = "https://10.0.1.2:8443",
		.ca_pem = "-----BEGIN CERTIFICATE-----\n",
		.login = "host='10.0.1.2' user='rgrid_w1' password='x'",
		.database_host = "10.0.1.2",
		.bundle_sha256 = DIGEST,
		.bundle_token = "abc",
		.gateway = "10.0.0.1",
		.needs_way_out = true,
		.dns = "185.12.64.1 185.12.64.2",
		.start_ms = 600000,
		.lost_ms_max = 1800000,
	};
}

/* The content of a file within; to be freed. */
static char *file_of(const char *text, const char *path)
{
	const char *at = strstr(text, path);
	const char *content = at ? strstr(at, "content: ") : NULL;
	struct buf out;

	EXPECT(content != NULL);
	content += strlen("content: ");
	buf_init(&out, USER_DATA_BYTES_MAX);
	EXPECT(base64_decode(content, strcspn(content, "\n"), &out));
	return buf_detach(&out);
}

TEST(the_same_worker_is_told_the_same)
{
	struct user_data data = sample();
	struct error err;
	CLEANUP(cleanup_free) char *one = NULL;
	CLEANUP(cleanup_free) char *other = NULL;

	EXPECT_OK(user_data_build(&data, &one, &err), err);
	EXPECT_OK(user_data_build(&data, &other, &err), err);
	EXPECT_STR(one, other);
	EXPECT(strncmp(one, "#cloud-config\n", 14) == 0);
	EXPECT(strlen(one) < USER_DATA_BYTES_MAX / 2);
}

TEST(secrets_stand_in_the_file_that_is_removed_alone)
{
	struct user_data data = sample();
	struct error err;
	CLEANUP(cleanup_free) char *text = NULL;
	CLEANUP(cleanup_free) char *lasting = NULL;
	CLEANUP(cleanup_free) char *first = NULL;

	EXPECT_OK(user_data_build(&data, &text, &err), err);
	lasting = file_of(text, "/etc/rgrid/worker.env");
	first = file_of(text, "/etc/rgrid/first.env");
	EXPECT(strstr(lasting, "password") == NULL && strstr(lasting, "TOKEN") == NULL);
	EXPECT_STR(first, "RGRID_WORKER_DATABASE=\"host='10.0.1.2' user='rgrid_w1' password='x'\"\n"
			  "RGRID_BUNDLE_TOKEN=\"abc\"\n");
}

TEST(a_builder_is_told_of_no_worker)
{
	struct user_data data = sample();
	struct error err;
	CLEANUP(cleanup_free) char *text = NULL;
	CLEANUP(cleanup_free) char *boot = NULL;
	CLEANUP(cleanup_free) char *worker_boot = NULL;
	CLEANUP(cleanup_free) char *worker = NULL;
	CLEANUP(cleanup_free) char *first = NULL;

	EXPECT_OK(user_data_build(&data, &worker, &err), err);
	data.is_builder = true;
	data.login = NULL;
	EXPECT_OK(user_data_build(&data, &text, &err), err);
	first = file_of(text, "/etc/rgrid/first.env");
	EXPECT_STR(first, "RGRID_BUNDLE_TOKEN=\"abc\"\n");
	boot = file_of(text, "/usr/local/lib/rgrid/boot");
	worker_boot = file_of(worker, "/usr/local/lib/rgrid/boot");
	EXPECT_STR(boot, worker_boot);
	EXPECT(strstr(text, "/usr/local/lib/rgrid/bake") != NULL);
	EXPECT(strstr(text, "rgrid-worker.service") == NULL);
}

TEST(what_a_shell_would_run_is_quoted)
{
	struct user_data data = sample();
	struct error err;
	CLEANUP(cleanup_free) char *text = NULL;
	CLEANUP(cleanup_free) char *first = NULL;

	data.login = "a\"b\\c$(touch /x)`id`";
	EXPECT_OK(user_data_build(&data, &text, &err), err);
	first = file_of(text, "/etc/rgrid/first.env");
	EXPECT_STR(first, "RGRID_WORKER_DATABASE=\"a\\\"b\\\\c\\$(touch /x)\\`id\\`\"\n"
			  "RGRID_BUNDLE_TOKEN=\"abc\"\n");
}

TEST(what_cannot_be_told_is_refused)
{
	struct user_data data;
	struct error err;
	char *text = NULL;

	data = sample();
	data.worker_name = "w1\nRGRID_API_URL=https://evil";
	EXPECT_ERR(user_data_build(&data, &text, &err), err, ERR_INVALID);
	data = sample();
	data.login = "\xff";
	EXPECT_ERR(user_data_build(&data, &text, &err), err, ERR_INVALID);
	data = sample();
	data.bundle_sha256 = "../../etc/passwd";
	EXPECT_ERR(user_data_build(&data, &text, &err), err, ERR_INVALID);
	data = sample();
	data.bundle_token = "a\"b";
	EXPECT_ERR(user_data_build(&data, &text, &err), err, ERR_INVALID);
	data.bundle_token = "";
	EXPECT_ERR(user_data_build(&data, &text, &err), err, ERR_INVALID);
}

TEST(more_than_the_provider_takes_is_refused)
{
	struct user_data data = sample();
	struct error err;
	char *text = NULL;
	CLEANUP(cleanup_free) char *long_ca = malloc(USER_DATA_BYTES_MAX);

	EXPECT(long_ca != NULL);
	memset(long_ca, 'x', USER_DATA_BYTES_MAX - 1);
	long_ca[USER_DATA_BYTES_MAX - 1] = '\0';
	data.ca_pem = long_ca;
	EXPECT_ERR(user_data_build(&data, &text, &err), err, ERR_TOO_LARGE);
	long_ca[20000] = '\0';
	EXPECT_ERR(user_data_build(&data, &text, &err), err, ERR_TOO_LARGE);
}
