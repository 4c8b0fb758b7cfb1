#include "cli/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "tap.h"

static void make(const char *path, const char *text, mode_t mode)
{
	struct error err;

	EXPECT_OK(fs_write_atomic(path, text, strlen(text), mode, &err), err);
}

static void make_files(void)
{
	struct error err;

	EXPECT_OK(fs_mkdir_all("project/deep/.hidden", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("project/.rgrid", 0755, &err), err);
	EXPECT_OK(fs_mkdir_all("user", 0755, &err), err);
	make("project/.rgrid/config", "# ours\nurl = http://project:1/\n", 0644);
	make("user/credentials", "[default]\nurl = \"http://user:2\"\ntoken = secret\n", 0600);
	make("user/config", "url = http://usercfg:3\n", 0644);
	make("system", "url = http://system:4\nca_file = /ca.pem\nlisten = 1\n", 0644);
}

static struct config_sources all_sources(void)
{
	return (struct config_sources){
		.flag_url = "http://flag:5",
		.env_url = "http://env:6",
		.env_token = "envtoken",
		.directory = "project/deep/.hidden",
		.user_directory = "user",
		.system_file = "system",
	};
}

static void expect_url(const struct config_sources *sources, const char *url, const char *token)
{
	CLEANUP(cleanup_config) struct config config = {0};
	CLEANUP(cleanup_buf) struct buf notes = {0};
	struct error err;

	buf_init(&notes, 4096);
	EXPECT_OK(config_load(sources, &config, &notes, &err), err);
	EXPECT_STR(config.url ? config.url : "none", url);
	EXPECT_STR(config.token ? config.token : "none", token);
	EXPECT_STR(notes.data, "");
}

TEST(the_first_source_wins)
{
	struct config_sources sources;

	make_files();
	sources = all_sources();
	expect_url(&sources, "http://flag:5", "envtoken");
	sources.flag_url = NULL;
	expect_url(&sources, "http://env:6", "envtoken");
	sources.env_url = "";
	expect_url(&sources, "http://project:1", "envtoken");
	sources.directory = "/";
	expect_url(&sources, "http://user:2", "envtoken");
	sources.env_token = NULL;
	expect_url(&sources, "http://user:2", "secret");
	EXPECT_INT(unlink("user/credentials"), 0);
	expect_url(&sources, "http://usercfg:3", "none");
	EXPECT_INT(unlink("user/config"), 0);
	expect_url(&sources, "http://system:4", "none");
	EXPECT_INT(unlink("system"), 0);
	expect_url(&sources, "none", "none");
}

TEST(a_key_is_not_given_to_another_server)
{
	struct config_sources sources;
	CLEANUP(cleanup_config) struct config config = {0};
	CLEANUP(cleanup_buf) struct buf notes = {0};
	struct error err;

	buf_init(&notes, 4096);
	make_files();
	sources = all_sources();
	sources.flag_url = NULL;
	sources.env_url = NULL;
	sources.env_token = NULL;
	EXPECT_OK(config_load(&sources, &config, &notes, &err), err);
	EXPECT_STR(config.url, "http://project:1");
	EXPECT(config.token == NULL);
	EXPECT(config.token_is_for_other_url);
}

TEST(what_is_odd_is_noted)
{
	struct config_sources sources = {.directory = "project", .user_directory = "user"};
	CLEANUP(cleanup_config) struct config config = {0};
	CLEANUP(cleanup_buf) struct buf notes = {0};
	struct error err;

	buf_init(&notes, 4096);
	make_files();
	make("project/.rgrid/config", "url = http://p:1\ntoken = leak\ncolour = red\n", 0644);
	EXPECT_INT(chmod("user/credentials", 0644), 0);
	EXPECT_OK(config_load(&sources, &config, &notes, &err), err);
	EXPECT(config.token == NULL);
	EXPECT(strstr(notes.data, ":2: a token is only read from") != NULL);
	EXPECT(strstr(notes.data, ":3: unknown key \"colour\"") != NULL);
	EXPECT(strstr(notes.data, "can be read by others") != NULL);
}

TEST(what_is_wrong_is_refused)
{
	static const char *const wrong[] = {"url\n", "= x\n", "url = ftp://x\n", "url = http://\n",
					    "url = http://a@b\n"};
	struct config_sources sources = {.system_file = "system"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(cleanup_config) struct config config = {0};
		CLEANUP(cleanup_buf) struct buf notes = {0};
		struct error err;

		buf_init(&notes, 4096);
		make("system", wrong[i], 0644);
		EXPECT_ERR(config_load(&sources, &config, &notes, &err), err, ERR_INVALID);
	}
}

TEST(credentials_are_ours_alone_and_read_back)
{
	struct config_sources sources = {.user_directory = "home/rgrid"};
	struct error err;
	struct stat status;

	EXPECT_OK(config_write_credentials("home/rgrid", "http://a:1", "tok", &err), err);
	EXPECT_INT(stat("home/rgrid/credentials", &status), 0);
	EXPECT_INT(status.st_mode & 0777, 0600);
	EXPECT_INT(stat("home/rgrid", &status), 0);
	EXPECT_INT(status.st_mode & 0777, 0700);
	expect_url(&sources, "http://a:1", "tok");
}
