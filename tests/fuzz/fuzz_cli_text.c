/* Any text as a path, as a configuration file, and as something to be shown: a path inside never
 * leads out again, and shown text carries no control character and is valid UTF-8. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/ini.h"
#include "cli/terminal.h"
#include "cli/when.h"
#include "cli/work_path.h"

#define TEXT_BYTES_MAX 65536

static int take(void *context, const char *key, const char *value, unsigned line, struct error *err)
{
	(void)context, (void)err;
	CHECK(line > 0);
	CHECK(!strchr(key, '\n'));
	CHECK(!strchr(value, '\n'));
	return 0;
}

static void check_path(const char *text)
{
	struct work_path place;
	struct error err;

	work_path_resolve("/home/user", text, &place);
	CHECK(!strstr(place.relative, "//"));
	CHECK(place.relative[0] != '/');
	CHECK(!str_eq(place.relative, ".."));
	CHECK(!str_has_prefix(place.relative, "../"));
	CHECK(!strstr(place.relative, "/../"));
	CHECK(place.inside || place.respelled);
	/* What the strict check refuses is only what no lexical cleaning can mend. */
	if (place.relative[0] && fs_path_check_relative(place.relative, &err) != 0)
		CHECK(err.msg[0] != '\0');
	work_path_release(&place);
}

static void check_clean(const char *text)
{
	struct buf out;

	buf_init(&out, TEXT_BYTES_MAX);
	terminal_clean(&out, text);
	CHECK(str_is_utf8(out.data, out.bytes));
	for (size_t i = 0; i < out.bytes; i++)
		CHECK((unsigned char)out.data[i] >= 0x20 && out.data[i] != 0x7f);
	CHECK(terminal_width(out.data) <= out.bytes);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct error err;
	int64_t wall_us;
	char *text;

	if (bytes > TEXT_BYTES_MAX / 2)
		return 0;
	text = xstrndup((const char *)data, bytes);
	check_path(text);
	check_clean(text);
	(void)when_parse(text, &wall_us);
	(void)!ini_parse(text, "fuzz", take, NULL, &err);
	free(text);
	return 0;
}
