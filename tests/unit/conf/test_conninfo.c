#include "conf/conninfo.h"

#include <libpq-fe.h>

#include "conf/environment.h"
#include "tap.h"

/* What libpq understands under `key`; "" if nothing. */
static void value_of(const char *conninfo, const char *key, char *out, size_t size)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	EXPECT(options != NULL);
	out[0] = '\0';
	for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
		if (strcmp(option->keyword, key) == 0 && option->val != NULL)
			(void)snprintf(out, size, "%s", option->val);
	}
	PQconninfoFree(options);
}

TEST(values_survive_quoting)
{
	static const char *const values[] = {"plain", "with space", "it's", "back\\slash", "'",
					     "\\'",   "",	    "a=b",  "täglich"};
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		CLEANUP(cleanup_buf) struct buf text;
		char read_back[64];
		buf_init(&text, CONNINFO_BYTES_MAX);
		conninfo_append(&text, "user", "u");
		conninfo_append(&text, "host", values[i]);
		value_of(text.data, "host", read_back, sizeof(read_back));
		EXPECT_STR(read_back, values[i]);
	}
}

TEST(another_login_replaces_all_of_the_first)
{
	static const char *const forms[] = {
		"host='/a b' port=5433 user=boss password=secret dbname=rgrid passfile=/x",
		"postgresql://boss:secret@%2Fa%20b:5433/rgrid?passfile=/x",
	};
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		CLEANUP(cleanup_buf) struct buf text;
		struct error err = {0};
		char value[64];
		buf_init(&text, CONNINFO_BYTES_MAX);
		EXPECT_OK(conninfo_with_login(forms[i], "worker 1", "p'w", &text, &err), err);
		EXPECT(strstr(text.data, "boss") == NULL && strstr(text.data, "secret") == NULL);
		value_of(text.data, "user", value, sizeof(value));
		EXPECT_STR(value, "worker 1");
		value_of(text.data, "password", value, sizeof(value));
		EXPECT_STR(value, "p'w");
		value_of(text.data, "host", value, sizeof(value));
		EXPECT_STR(value, "/a b");
		value_of(text.data, "passfile", value, sizeof(value));
		EXPECT_STR(value, "");
	}
}

TEST(under_a_ca_the_session_is_bound)
{
	static const struct {
		const char *key, *value;
	} wanted[] = {{"sslmode", "verify-full"},
		      {"sslrootcert", "/a b/ca.crt"},
		      {"gssencmode", "disable"},
		      {"channel_binding", "require"},
		      {"user", "u"},
		      {"host", "db"}};
	CLEANUP(cleanup_buf) struct buf text;
	struct error err = {0};
	buf_init(&text, CONNINFO_BYTES_MAX);
	EXPECT_OK(conninfo_under_ca("host=db user=u sslmode=disable channel_binding=disable",
				    "/a b/ca.crt", &text, &err),
		  err);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		char value[64];
		value_of(text.data, wanted[i].key, value, sizeof(value));
		EXPECT_STR(value, wanted[i].value);
	}
}

TEST(nonsense_is_refused)
{
	CLEANUP(cleanup_buf) struct buf text;
	struct error err = {0};
	buf_init(&text, CONNINFO_BYTES_MAX);
	EXPECT_ERR(conninfo_with_login("no such thing", "u", "p", &text, &err), err, ERR_INVALID);
}

TEST(children_do_not_inherit_settings)
{
	static struct environment environment;
	const char *const added[] = {"RGRID_WORKER_DATABASE=mine", NULL};
	EXPECT(setenv("RGRID_DATABASE", "secret", 1) == 0);
	EXPECT(setenv("OTHER", "kept", 1) == 0);
	environment_make(added, &environment);
	bool other = false;
	size_t settings = 0;
	for (size_t i = 0; environment.entries[i] != NULL; i++) {
		other = other || strcmp(environment.entries[i], "OTHER=kept") == 0;
		settings += strncmp(environment.entries[i], "RGRID_", 6) == 0;
	}
	EXPECT(other);
	EXPECT_INT(settings, 1);
	EXPECT_STR(environment.entries[0], "RGRID_WORKER_DATABASE=mine");
}
