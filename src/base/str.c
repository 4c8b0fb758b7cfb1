#include "base/str.h"

#include "base/check.h"

bool str_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *text, const char *suffix)
{
	size_t text_bytes = strlen(text);
	size_t suffix_bytes = strlen(suffix);

	return text_bytes >= suffix_bytes && str_eq(text + text_bytes - suffix_bytes, suffix);
}

/* The length of the UTF-8 sequence at `text` (1 to 4), or 0 when it is none. */
static size_t utf8_sequence(const unsigned char *text, size_t bytes)
{
	unsigned char lead = text[0];
	/* The range of the second byte excludes overlong forms, surrogates, what is over U+10FFFF.
	 */
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t length;

	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		length = 2;
	else if (lead >= 0xe0 && lead <= 0xef)
		length = 3;
	else if (lead >= 0xf0 && lead <= 0xf4)
		length = 4;
	else
		return 0;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (length > bytes || text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	}
	return length;
}

bool str_is_utf8(const char *text, size_t bytes)
{
	const unsigned char *next = (const unsigned char *)text;

	while (bytes > 0) {
		size_t length = utf8_sequence(next, bytes);

		if (length == 0)
			return false;
		next += length;
		bytes -= length;
	}
	return true;
}

size_t str_printable_bytes(const char *text, size_t bytes)
{
	unsigned char lead = (unsigned char)text[0];

	if (lead < 0x20 || lead == 0x7f)
		return 0;
	if (lead == 0xc2 && bytes > 1 && (unsigned char)text[1] < 0xa0)
		return 0;
	return utf8_sequence((const unsigned char *)text, bytes);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char to_lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Whole-string digits; false when there are none, others, or more than 64 bits hold. */
static bool scan_u64(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (!is_digit(*text) || __builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*ret = value;
	return true;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	uint64_t value;

	if (!scan_u64(text, &value) || value < min || value > max)
		return error_set(err, ERR_INVALID,
				 "\"%.64s\" is not a whole number between %llu and %llu", text,
				 (unsigned long long)min, (unsigned long long)max);
	*ret = value;
	return 0;
}

int parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret, struct error *err)
{
	bool negative = text[0] == '-';
	uint64_t size;
	bool ok = scan_u64(text + (negative ? 1 : 0), &size);
	int64_t value = 0;

	if (ok && negative)
		ok = !__builtin_sub_overflow(0, size, &value);
	else if (ok)
		ok = !__builtin_add_overflow(0, size, &value);
	if (!ok || value < min || value > max)
		return error_set(err, ERR_INVALID,
				 "\"%.64s\" is not a whole number between %lld and %lld", text,
				 (long long)min, (long long)max);
	*ret = value;
	return 0;
}

/* A decimal number without sign or exponent: whole + fraction / scale. */
struct decimal {
	uint64_t whole;
	uint64_t fraction;
	uint64_t scale; /* a power of ten, at most DECIMAL_SCALE_MAX */
};

#define DECIMAL_SCALE_MAX 1000000U

/* Reads a decimal at *text and moves *text behind it. */
static bool scan_decimal(const char **text, struct decimal *ret)
{
	const char *next = *text;
	struct decimal decimal = {.scale = 1};

	if (!is_digit(*next))
		return false;
	for (; is_digit(*next); next++) {
		if (__builtin_mul_overflow(decimal.whole, 10U, &decimal.whole) ||
		    __builtin_add_overflow(decimal.whole, (uint64_t)(*next - '0'), &decimal.whole))
			return false;
	}
	if (*next == '.') {
		next++;
		if (!is_digit(*next))
			return false;
		for (; is_digit(*next); next++) {
			if (decimal.scale == DECIMAL_SCALE_MAX)
				return false;
			decimal.fraction = decimal.fraction * 10 + (uint64_t)(*next - '0');
			decimal.scale *= 10;
		}
	}
	*text = next;
	*ret = decimal;
	return true;
}

/* decimal * unit, rounded down. Everything stored in the database is a signed 64-bit number, so
 * that is the limit here too. The unit is at most 2^40 or a day in ms, so the fraction fits. */
static bool decimal_times(const struct decimal *decimal, uint64_t unit, uint64_t *ret)
{
	uint64_t value;

	if (__builtin_mul_overflow(decimal->whole, unit, &value) ||
	    __builtin_add_overflow(value, decimal->fraction * unit / decimal->scale, &value) ||
	    value > INT64_MAX)
		return false;
	*ret = value;
	return true;
}

/* The factor of "", "b", "k", "kb", "kib" … "tib" in either case, or 0. */
static uint64_t byte_unit(const char *suffix)
{
	static const char prefixes[] = "kmgt";
	char lower[4] = "";
	size_t bytes = strlen(suffix);

	if (bytes >= sizeof(lower))
		return 0;
	for (size_t i = 0; i < bytes; i++)
		lower[i] = to_lower(suffix[i]);
	if (str_eq(lower, "") || str_eq(lower, "b"))
		return 1;
	const char *prefix = strchr(prefixes, lower[0]);

	if (prefix == NULL)
		return 0;
	uint64_t base;

	if (str_eq(lower + 1, "") || str_eq(lower + 1, "ib"))
		base = 1024;
	else if (str_eq(lower + 1, "b"))
		base = 1000;
	else
		return 0;
	uint64_t unit = base;

	for (const char *p = prefixes; p < prefix; p++)
		unit *= base;
	return unit;
}

int parse_bytes(const char *text, uint64_t *ret_bytes, struct error *err)
{
	const char *suffix = text;
	struct decimal decimal;
	uint64_t unit = 0;

	if (scan_decimal(&suffix, &decimal))
		unit = byte_unit(suffix);
	if (unit == 0 || (unit == 1 && decimal.scale > 1) ||
	    !decimal_times(&decimal, unit, ret_bytes)) {
		(void)error_set(err, ERR_INVALID, "\"%.64s\" is not a size", text);
		return error_hint(err, "write a number of bytes, or a unit: 512M, 1.5GiB, 20GB");
	}
	return 0;
}

static const struct {
	const char *name;
	uint64_t ms;
} duration_units[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

/* The unit at *text, at or after `from` in the table; moves *text behind it. ARRAY_SIZE: none. */
static size_t scan_duration_unit(const char **text, size_t from)
{
	size_t length = 0;

	while ((*text)[length] >= 'a' && (*text)[length] <= 'z')
		length++;
	for (size_t i = from; i < ARRAY_SIZE(duration_units); i++) {
		const char *name = duration_units[i].name;

		if (strlen(name) == length && strncmp(*text, name, length) == 0) {
			*text += length;
			return i;
		}
	}
	return ARRAY_SIZE(duration_units);
}

/* Numbers with units, the larger first, each at most once; or one number of seconds. */
static bool scan_duration(const char *text, uint64_t *ret_ms)
{
	const char *next = text;
	size_t unit = 0;
	uint64_t total = 0;

	do {
		struct decimal decimal;
		bool first = next == text;
		uint64_t part;

		if (!scan_decimal(&next, &decimal))
			return false;
		if (first && *next == '\0')
			return decimal_times(&decimal, 1000, ret_ms);
		unit = scan_duration_unit(&next, unit);
		if (unit == ARRAY_SIZE(duration_units) ||
		    !decimal_times(&decimal, duration_units[unit].ms, &part) ||
		    __builtin_add_overflow(total, part, &total) || total > INT64_MAX)
			return false;
		unit++;
	} while (*next != '\0');
	*ret_ms = total;
	return true;
}

int parse_duration(const char *text, uint64_t *ret_ms, struct error *err)
{
	if (scan_duration(text, ret_ms))
		return 0;
	(void)error_set(err, ERR_INVALID, "\"%.64s\" is not a duration", text);
	return error_hint(err, "write seconds, or units: 90, 90s, 1h30m, 250ms, 2d");
}

int parse_millis(const char *text, uint64_t *ret_millis, struct error *err)
{
	const char *next = text;
	struct decimal decimal;

	if (scan_decimal(&next, &decimal) && *next == '\0' && decimal.scale <= 1000 &&
	    decimal_times(&decimal, 1000, ret_millis))
		return 0;
	(void)error_set(err, ERR_INVALID, "\"%.64s\" is not a number", text);
	return error_hint(err, "write a number with at most three decimals: 2, 0.5");
}

const char *format_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned index = 0;

	while (index + 1 < ARRAY_SIZE(names) && bytes >> (10 * (index + 1)) > 0)
		index++;
	uint64_t unit = 1ULL << (10 * index);
	uint64_t whole = bytes / unit;
	uint64_t tenths = (bytes % unit * 10 + unit / 2) / unit;

	if (tenths == 10) {
		whole++;
		tenths = 0;
	}
	if (whole == 1024 && index + 1 < ARRAY_SIZE(names)) {
		whole = 1;
		index++;
	}
	if (tenths > 0)
		(void)snprintf(out, size, "%llu.%llu %s", (unsigned long long)whole,
			       (unsigned long long)tenths, names[index]);
	else
		(void)snprintf(out, size, "%llu %s", (unsigned long long)whole, names[index]);
	return out;
}

const char *format_duration(uint64_t ms, char *out, size_t size)
{
	unsigned long long seconds = ms / 1000;

	if (ms < 1000)
		(void)snprintf(out, size, "%llu ms", (unsigned long long)ms);
	else if (seconds < 60)
		(void)snprintf(out, size, "%llu.%llu s", seconds,
			       (unsigned long long)(ms % 1000 / 100));
	else if (seconds < 3600)
		(void)snprintf(out, size, "%llum %02llus", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		(void)snprintf(out, size, "%lluh %02llum", seconds / 3600, seconds / 60 % 60);
	else
		(void)snprintf(out, size, "%llud %02lluh", seconds / 86400, seconds / 3600 % 24);
	return out;
}

#define SUGGEST_BYTES_MAX 48

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`. */
static size_t edit_distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	size_t rows[3][SUGGEST_BYTES_MAX + 1];
	size_t *before = rows[0];
	size_t *above = rows[1];
	size_t *row = rows[2];

	CHECK(b_bytes <= SUGGEST_BYTES_MAX);
	memset(rows, 0, sizeof(rows));
	for (size_t j = 0; j <= b_bytes; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_bytes; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_bytes; j++) {
			size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		size_t *spare = before;

		before = above;
		above = row;
		row = spare;
	}
	return above[b_bytes];
}

const char *str_suggest(const char *word, const char *const *candidates, size_t count)
{
	size_t word_bytes = strlen(word);
	/* One mistake in three letters is a slip; more is another word. */
	size_t best_distance = word_bytes / 3 + (word_bytes % 3 > 0 ? 1 : 0);
	const char *best = NULL;

	if (word_bytes == 0 || word_bytes > SUGGEST_BYTES_MAX)
		return NULL;
	if (best_distance > 3)
		best_distance = 3;
	for (size_t i = 0; i < count; i++) {
		size_t bytes = strlen(candidates[i]);

		if (bytes > SUGGEST_BYTES_MAX)
			continue;
		size_t distance = edit_distance(word, word_bytes, candidates[i], bytes);

		if (distance < word_bytes && distance < bytes &&
		    (distance < best_distance || (distance == best_distance && best == NULL))) {
			best_distance = distance;
			best = candidates[i];
		}
	}
	/* "mem" is far from "memory" in edits, and yet plainly meant. */
	for (size_t i = 0; i < count && best == NULL && word_bytes >= 3; i++) {
		if (str_has_prefix(candidates[i], word))
			best = candidates[i];
	}
	return best;
}
