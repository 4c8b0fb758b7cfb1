#include "cloud/hetzner.h"

#include "tap.h"

static void expect_value(const char *value, const char *expected)
{
	struct hetzner_labels labels = {0};

	hetzner_label_set(&labels, "k", value);
	EXPECT_STR(hetzner_label_get(&labels, "k"), expected);
}

TEST(values_are_cut_and_cleaned)
{
	char value[80];
	char expected[64];

	expect_value("fsn1", "fsn1");
	expect_value("", "");
	expect_value("2026-01-30T23:55:00Z", "2026-01-30T23-55-00Z");
	expect_value("me@example.org", "me-example.org");
	expect_value("--a..", "a");
	expect_value("\xc3\xa4", "");
	memset(value, 'a', 62); /* the cut falls behind the dot */
	memcpy(value + 62, ".bcd", 5);
	memset(expected, 'a', 62);
	expected[62] = '\0';
	expect_value(value, expected);
}

TEST(setting_again_replaces)
{
	struct hetzner_labels labels = {0};

	hetzner_label_set(&labels, "a", "1");
	hetzner_label_set(&labels, "b", "2");
	hetzner_label_set(&labels, "a", "3");
	EXPECT_INT(labels.count, 2);
	EXPECT_STR(hetzner_label_get(&labels, "a"), "3");
	EXPECT(hetzner_label_get(&labels, "c") == NULL);
}

TEST(what_finds_no_room_is_counted)
{
	struct hetzner_labels labels = {0};
	char key[16];

	for (int i = 0; i <= HETZNER_LABELS_MAX; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		hetzner_label_set(&labels, key, "v");
	}
	EXPECT_INT(labels.count, HETZNER_LABELS_MAX);
	EXPECT_INT(labels.omitted, 1);
	hetzner_label_set(&labels, "k0", "w"); /* has its room */
	EXPECT_INT(labels.omitted, 1);
}
