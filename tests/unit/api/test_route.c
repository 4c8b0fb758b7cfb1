#include "api/route.h"
#include "tap.h"

static const struct route table[] = {
	{.method = HTTP_POST, .pattern = "/jobs", .audience = AUDIENCE_BOTH},
	{.method = HTTP_GET, .pattern = "/jobs", .audience = AUDIENCE_BOTH},
	{.method = HTTP_POST, .pattern = "/jobs/bulk", .audience = AUDIENCE_BOTH},
	{.method = HTTP_GET, .pattern = "/jobs/{id}", .audience = AUDIENCE_BOTH},
	{.method = HTTP_GET, .pattern = "/jobs/{id}/files", .audience = AUDIENCE_BOTH},
	{.method = HTTP_GET, .pattern = "/jobs/{id}/files/{path...}", .audience = AUDIENCE_BOTH},
};

static char path[4096];

static int find(enum http_method method, const char *text, struct route_match *ret,
		struct error *err)
{
	(void)snprintf(path, sizeof(path), "%s", text);
	return route_find(table, sizeof(table) / sizeof(table[0]), AUDIENCE_USERS, method, path,
			  ret, err);
}

static void expect_route(enum http_method method, const char *text, size_t index)
{
	struct route_match match;
	struct error err;

	EXPECT_OK(find(method, text, &match, &err), err);
	EXPECT_INT(match.route - table, index);
}

static void expect_none(const char *text)
{
	struct route_match match;
	struct error err;

	EXPECT_ERR(find(HTTP_GET, text, &match, &err), err, ERR_NOT_FOUND);
}

TEST(paths_lead_to_routes)
{
	expect_route(HTTP_POST, "/jobs", 0);
	expect_route(HTTP_GET, "/jobs", 1);
	expect_route(HTTP_POST, "/jobs/bulk", 2);
	expect_route(HTTP_GET, "/jobs/bulk", 3);
	expect_route(HTTP_GET, "/jobs/x", 3);
	expect_route(HTTP_GET, "/jobs/x/files", 4);
	expect_route(HTTP_GET, "/jobs/x/files/a", 5);
	expect_route(HTTP_GET, "/jobs/x/files/a/b/c", 5);
}

TEST(other_paths_are_not_found)
{
	expect_none("");
	expect_none("jobs");
	expect_none("/");
	expect_none("/jobs/");
	expect_none("//jobs");
	expect_none("/Jobs");
	expect_none("/jobs/x/");
	expect_none("/jobs//files");
	expect_none("/jobs/x/files/");
	expect_none("/jobs/x/other");
	expect_none("/jobs/x/files2");
}

TEST(arguments_are_decoded_after_splitting)
{
	struct route_match match;
	struct error err;

	EXPECT_OK(find(HTTP_GET, "/jobs/a%2Fb/files/x/%C3%A4%20y/z", &match, &err), err);
	EXPECT_INT(match.arg_count, 2);
	EXPECT_STR(match.args[0], "a/b");
	EXPECT_STR(match.args[1], "x/ä y/z");
	EXPECT_OK(find(HTTP_GET, "/jobs/j/files/..//x", &match, &err), err);
	EXPECT_STR(match.args[1], "..//x");
	EXPECT_ERR(find(HTTP_GET, "/jobs/a%", &match, &err), err, ERR_INVALID);
	EXPECT_ERR(find(HTTP_GET, "/jobs/a%00", &match, &err), err, ERR_INVALID);
}

TEST(a_method_that_the_path_does_not_take_is_told_from_an_unknown_path)
{
	struct route_match match;
	struct error err;
	char allow[64];

	EXPECT_OK(find(HTTP_DELETE, "/jobs", &match, &err), err);
	EXPECT(match.route == NULL);
	EXPECT_STR(http_methods_text(match.methods, allow, sizeof(allow)), "GET, HEAD, POST");
	EXPECT_OK(find(0, "/jobs/x/files", &match, &err), err);
	EXPECT(match.route == NULL);
	EXPECT_STR(http_methods_text(match.methods, allow, sizeof(allow)), "GET, HEAD");
}

TEST(routes_for_others_are_as_if_they_were_not_there)
{
	static const struct route mixed[] = {
		{.method = HTTP_GET, .pattern = "/both", .audience = AUDIENCE_BOTH},
		{.method = HTTP_POST, .pattern = "/both", .audience = AUDIENCE_USERS},
		{.method = HTTP_GET, .pattern = "/jobs", .audience = AUDIENCE_USERS},
	};
	struct route_match match;
	struct error err;
	char text[16] = "/both";

	EXPECT_OK(route_find(mixed, 3, AUDIENCE_WORKERS, HTTP_GET, text, &match, &err), err);
	EXPECT(match.route == &mixed[0]);
	(void)snprintf(text, sizeof(text), "/both");
	EXPECT_OK(route_find(mixed, 3, AUDIENCE_WORKERS, HTTP_POST, text, &match, &err), err);
	EXPECT(match.route == NULL);
	EXPECT_INT(match.methods, 1U << HTTP_GET);
	(void)snprintf(text, sizeof(text), "/jobs");
	EXPECT_ERR(route_find(mixed, 3, AUDIENCE_WORKERS, HTTP_GET, text, &match, &err), err,
		   ERR_NOT_FOUND);
	EXPECT(strstr(err.msg, "workers only") != NULL);
}

TEST(too_deep_a_path_is_not_found)
{
	char text[2048] = "/jobs/x/files";

	for (int i = 0; i < 300; i++)
		memcpy(text + strlen(text), "/a", 3);
	expect_none(text);
}

TEST(methods_have_names)
{
	enum http_method method;
	bool is_head;

	EXPECT(http_method_parse("HEAD", &method, &is_head));
	EXPECT_INT(method, HTTP_GET);
	EXPECT(is_head);
	EXPECT(http_method_parse("DELETE", &method, &is_head));
	EXPECT_INT(method, HTTP_DELETE);
	EXPECT(!is_head);
	EXPECT(!http_method_parse("get", &method, &is_head));
	EXPECT(!http_method_parse("PATCH", &method, &is_head));
	EXPECT(!http_method_parse("", &method, &is_head));
}
