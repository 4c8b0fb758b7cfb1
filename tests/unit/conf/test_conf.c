#include "conf/conf.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "tap.h"

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	EXPECT(file != NULL);
	EXPECT(fputs(text, file) >= 0);
	EXPECT(fclose(file) == 0);
}

/* No file but the one given, no settings of whoever runs the tests. */
static void isolate(void)
{
	EXPECT(setenv("RGRID_CONFIG", "/dev/null", 1) == 0);
	EXPECT(unsetenv("RGRID_SLOTS") == 0);
	EXPECT(unsetenv("RGRID_LISTEN") == 0);
	EXPECT(unsetenv("RGRID_DATA_DIR") == 0);
}

static int load_text(const char *text, struct conf *ret, struct error *err)
{
	isolate();
	write_file("conf", text);
	struct conf_flags flags = {.file = "conf"};
	return conf_load(&flags, ret, err);
}

TEST(defaults_come_from_the_table)
{
	struct conf_flags flags = {0};
	CLEANUP(cleanup_conf) struct conf conf = {0};
	struct error err = {0};
	isolate();
	EXPECT_OK(conf_load(&flags, &conf, &err), err);
	EXPECT_STR(conf_text(&conf, CONF_LISTEN), "127.0.0.1:8000");
	EXPECT_STR(conf_text(&conf, CONF_API_URL), "http://127.0.0.1:8000");
	EXPECT_INT(conf_number(&conf, CONF_DRAIN_TIMEOUT), 10000);
	EXPECT_INT(conf_number(&conf, CONF_LOG_BYTES_MAX), 16 * 1024 * 1024);
	EXPECT_INT(conf_log_level(&conf), LOG_LEVEL_INFO);
	EXPECT(conf_number(&conf, CONF_SLOTS) >= 1);
}

TEST(option_beats_environment_beats_file_beats_default)
{
	struct error err = {0};
	isolate();
	write_file("conf", "# a comment\n\nslots = 3\nworkers=4\n  listen =  [::1]:0 \n");
	EXPECT(setenv("RGRID_SLOTS", "5", 1) == 0);
	EXPECT(setenv("RGRID_LISTEN", "0.0.0.0:1", 1) == 0);
	struct conf_flags flags = {.file = "conf"};
	flags.values[CONF_SLOTS] = "7";
	CLEANUP(cleanup_conf) struct conf conf = {0};
	EXPECT_OK(conf_load(&flags, &conf, &err), err);
	EXPECT_INT(conf_number(&conf, CONF_SLOTS), 7);
	EXPECT(conf_is_given(&conf, CONF_SLOTS) && conf_is_given(&conf, CONF_WORKERS));
	EXPECT(!conf_is_given(&conf, CONF_DRAIN_TIMEOUT));
	EXPECT_INT(conf.values[CONF_SLOTS].source, CONF_FROM_OPTION);
	EXPECT_STR(conf_text(&conf, CONF_LISTEN), "0.0.0.0:1");
	EXPECT_INT(conf.values[CONF_LISTEN].source, CONF_FROM_ENVIRONMENT);
	EXPECT_INT(conf_number(&conf, CONF_WORKERS), 4);
	EXPECT_INT(conf.values[CONF_WORKERS].source, CONF_FROM_FILE);
	EXPECT_INT(conf.values[CONF_WORKERS].line, 4);
	EXPECT_INT(conf.values[CONF_API_CONNECTIONS].source, CONF_FROM_DEFAULT);
	EXPECT_STR(conf_text(&conf, CONF_API_URL), "http://127.0.0.1:1");
}

TEST(paths_become_absolute_and_others_follow)
{
	struct error err = {0};
	CLEANUP(cleanup_conf) struct conf conf = {0};
	char *here = getcwd(NULL, 0);
	EXPECT_OK(load_text("data-dir = my grid\n", &conf, &err), err);
	char *data = xasprintf("%s/my grid", here);
	char *blobs = xasprintf("%s/my grid/blobs", here);
	EXPECT_STR(conf_text(&conf, CONF_DATA_DIR), data);
	EXPECT_STR(conf_text(&conf, CONF_BLOB_DIR), blobs);
	free(here);
	free(data);
	free(blobs);
}

TEST(a_misspelt_name_is_an_error_with_a_suggestion)
{
	struct error err = {0};
	struct conf conf = {0};
	EXPECT_ERR(load_text("\nslot = 3\n", &conf, &err), err, ERR_INVALID);
	EXPECT(strstr(err.msg, "line 2") != NULL);
	EXPECT(strstr(err.hint, "slots") != NULL);
}

TEST(what_is_wrong_in_a_file_is_named_with_its_line)
{
	static const struct {
		const char *text;
		const char *said;
	} cases[] = {
		{"slots = 0\n", "slots"},
		{"slots = 5000\n", "slots"},
		{"slots = many\n", "many"},
		{"slots = 1\nslots = 2\n", "second time"},
		{"just words\n", "name = value"},
		{"listen = nowhere\n", "nowhere"},
		{"drain-timeout = soon\n", "soon"},
		{"drain-timeout = 2d\n", "2d"},
		{"log-bytes-max = 1\n", "not between"},
		{"log-level = loud\n", "loud"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {0};
		struct conf conf = {0};
		EXPECT_ERR(load_text(cases[i].text, &conf, &err), err, ERR_INVALID);
		if (strstr(err.msg, cases[i].said) == NULL || strstr(err.msg, "line ") == NULL)
			tap_fail(__FILE__, __LINE__, "\"%s\" says: %s", cases[i].text, err.msg);
	}
}

TEST(a_file_that_was_named_has_to_be_there)
{
	struct conf_flags flags = {.file = "absent"};
	struct error err = {0};
	struct conf conf = {0};
	isolate();
	EXPECT_ERR(conf_load(&flags, &conf, &err), err, err.code);
	EXPECT(strstr(err.msg, "absent") != NULL);
}

TEST(addresses_are_split)
{
	char *host = NULL;
	uint16_t port = 0;
	struct error err = {0};
	EXPECT_OK(conf_address_split("127.0.0.1:8000", &host, &port, &err), err);
	EXPECT_STR(host, "127.0.0.1");
	EXPECT_INT(port, 8000);
	free(host);
	EXPECT_OK(conf_address_split("[::1]:65535", &host, &port, &err), err);
	EXPECT_STR(host, "::1");
	EXPECT_INT(port, 65535);
	free(host);
	static const char *const bad[] = {"",	   ":1",      "host",	 "host:",   "host:65536",
					  "::1:1", "[::1]",   "[]:1",	 "host:1x", "host:-1",
					  "[a:1",  "host: 1", "[::1]x:1"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (conf_address_split(bad[i], &host, &port, &err) == 0)
			tap_fail(__FILE__, __LINE__, "\"%s\" was accepted", bad[i]);
	}
}

TEST(secrets_are_not_shown)
{
	struct error err = {0};
	CLEANUP(cleanup_conf) struct conf conf = {0};
	CLEANUP(cleanup_buf) struct buf text;
	buf_init(&text, 64 * KIB);
	EXPECT_OK(load_text("database = host=db password=geheim\n", &conf, &err), err);
	EXPECT_STR(conf_text(&conf, CONF_DATABASE), "host=db password=geheim");
	conf_show(&conf, &text);
	conf_show_json(&conf, &text);
	EXPECT(strstr(text.data, "geheim") == NULL);
	EXPECT(strstr(text.data, "(secret)") != NULL);
	EXPECT(strstr(text.data, "conf line 1") != NULL);
}

TEST(the_sample_without_its_comment_marks_is_a_configuration)
{
	CLEANUP(cleanup_buf) struct buf sample;
	CLEANUP(cleanup_buf) struct buf file;
	buf_init(&sample, 64 * KIB);
	buf_init(&file, 64 * KIB);
	conf_sample(&sample);
	char *rest = sample.data;
	char *line;
	int settings = 0;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (line[0] == '#' && line[1] != ' ' && !str_has_suffix(line, "=")) {
			buf_appendf(&file, "%s\n", line + 1);
			settings++;
		}
	}
	struct error err = {0};
	CLEANUP(cleanup_conf) struct conf conf = {0};
	EXPECT_OK(load_text(file.data, &conf, &err), err);
	EXPECT(settings > 5);
	EXPECT_INT(conf.values[CONF_LISTEN].source, CONF_FROM_FILE);
}

TEST(each_command_takes_its_parameters_as_options)
{
	struct conf_flags flags;
	struct opt options[CONF_OPTIONS_MAX];
	size_t count = conf_options(CONF_UP, &flags, options);
	struct opt_command command = {.name = "up", .options = options, .option_count = count};
	const char *argv[] = {"--slots", "3", "--data-dir=/x y"};
	const char **positional = NULL;
	int positional_count = 0;
	bool help = false;
	struct error err = {0};
	EXPECT_OK(opt_parse(&command, 3, argv, &positional, &positional_count, &help, &err), err);
	EXPECT_STR(flags.values[CONF_SLOTS], "3");
	EXPECT_STR(flags.values[CONF_DATA_DIR], "/x y");
	EXPECT(flags.values[CONF_WORKERS] == NULL);
	for (size_t i = 0; i < count; i++)
		EXPECT(!str_eq(options[i].long_name, "database")); /* `up` makes its own */
}
