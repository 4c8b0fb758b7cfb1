#include "core/api_key.h"

#include "tap.h"

#define LABEL  "aB3dEf7h"
#define SECRET "0123456789abcdefghijABCDEFGHIJzZ"

TEST(assembled_keys_check_out)
{
	char key[API_KEY_BYTES];
	char label[API_KEY_LABEL_BYTES];

	api_key_assemble(LABEL, SECRET, key);
	EXPECT(strncmp(key, "rgk_" LABEL "_" SECRET "_", 46) == 0);
	EXPECT_INT(strlen(key), 52);
	EXPECT(api_key_check(key, label));
	EXPECT_STR(label, LABEL);
}

TEST(any_changed_character_is_noticed)
{
	char key[API_KEY_BYTES];
	char label[API_KEY_LABEL_BYTES] = "before";

	api_key_assemble(LABEL, SECRET, key);
	for (size_t i = 0; key[i] != '\0'; i++) {
		char right = key[i];

		key[i] = right == 'x' ? 'y' : 'x';
		EXPECT(!api_key_check(key, label));
		key[i] = right;
	}
	EXPECT_STR(label, "before");
}

TEST(other_forms_are_refused)
{
	static const char *const wrong[] = {
		"",
		"rgk_",
		"rgk_aB3dEf7h_",
		"secret",
		"rgk_aB3dEf7h_0123456789abcdefghijABCDEFGHIJzZ_",
		"rgk_aB3dEf7h_0123456789abcdefghijABCDEFGHIJzZ_0000000",
	};
	char key[API_KEY_BYTES + 1];
	char label[API_KEY_LABEL_BYTES];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		EXPECT(!api_key_check(wrong[i], label));
	api_key_assemble(LABEL, SECRET, key);
	key[strlen(key) - 1] = '\0';
	EXPECT(!api_key_check(key, label));
	api_key_assemble(LABEL, SECRET, key);
	(void)snprintf(key + strlen(key), 2, "0");
	EXPECT(!api_key_check(key, label));
}

TEST(a_right_checksum_does_not_excuse_foreign_characters)
{
	char key[API_KEY_BYTES];
	char label[API_KEY_LABEL_BYTES];

	api_key_assemble("aB3dEf/h", SECRET, key);
	EXPECT(!api_key_check(key, label));
}
