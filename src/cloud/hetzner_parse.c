#include "cloud/hetzner_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/str.h"
#include "core/label.h"

#define MICROS_DIGITS	 6
#define EUROS_DIGITS_MAX 7
#define NUMBER_MAX	 1e15 /* of a scaled number; far below what int64 and double lose */

void hetzner_reader_fail(struct hetzner_reader *reader, const char *format, ...)
{
	char text[256];
	va_list arguments;

	if (reader->failed)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)error_set(reader->err, ERR_UNAVAILABLE,
			"Hetzner Cloud's answer cannot be understood: %s", text);
	reader->failed = true;
}

static const json_t *member(struct hetzner_reader *reader, const json_t *object, const char *name)
{
	if (reader->failed)
		return NULL;
	const json_t *value = json_object_get(object, name);
	if (value == NULL || json_is_null(value))
		hetzner_reader_fail(reader, "\"%s\" is missing", name);
	return reader->failed ? NULL : value;
}

static bool is_given(const struct hetzner_reader *reader, const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return !reader->failed && value != NULL && !json_is_null(value);
}

void hetzner_read_id(struct hetzner_reader *reader, const json_t *object, const char *name,
		     int64_t *ret)
{
	const json_t *value = member(reader, object, name);

	if (value == NULL)
		return;
	int64_t id = json_is_integer(value) ? json_integer_value(value) : 0;
	if (id < 1 || id > HETZNER_ID_MAX) {
		hetzner_reader_fail(reader, "\"%s\" is no id", name);
		return;
	}
	*ret = id;
}

void hetzner_read_optional_id(struct hetzner_reader *reader, const json_t *object, const char *name,
			      int64_t *ret)
{
	if (is_given(reader, object, name))
		hetzner_read_id(reader, object, name, ret);
}

/* Borrowed; NULL once failed. */
static const char *text_of(struct hetzner_reader *reader, const json_t *object, const char *name)
{
	const json_t *value = member(reader, object, name);

	if (value == NULL)
		return NULL;
	const char *text = json_string_value(value);
	if (text == NULL || json_string_length(value) != strlen(text)) {
		hetzner_reader_fail(reader, "\"%s\" is no text", name);
		return NULL;
	}
	return text;
}

void hetzner_read_text(struct hetzner_reader *reader, const json_t *object, const char *name,
		       char *out, size_t out_bytes)
{
	const char *text = text_of(reader, object, name);

	if (text == NULL)
		return;
	if (strlen(text) >= out_bytes) {
		hetzner_reader_fail(reader, "\"%s\" is longer than %zu bytes", name, out_bytes - 1);
		return;
	}
	memcpy(out, text, strlen(text) + 1);
}

void hetzner_read_cut_text(struct hetzner_reader *reader, const json_t *object, const char *name,
			   char *out, size_t out_bytes)
{
	const char *text = text_of(reader, object, name);

	if (text == NULL)
		return;
	size_t bytes = strnlen(text, out_bytes);
	if (bytes == out_bytes) {
		bytes--;
		while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
			bytes--;
	}
	memcpy(out, text, bytes);
	out[bytes] = '\0';
}

void hetzner_read_optional_cut_text(struct hetzner_reader *reader, const json_t *object,
				    const char *name, char *out, size_t out_bytes)
{
	if (is_given(reader, object, name))
		hetzner_read_cut_text(reader, object, name, out, out_bytes);
}

void hetzner_read_optional_text(struct hetzner_reader *reader, const json_t *object,
				const char *name, char *out, size_t out_bytes)
{
	if (is_given(reader, object, name))
		hetzner_read_text(reader, object, name, out, out_bytes);
}

void hetzner_read_count(struct hetzner_reader *reader, const json_t *object, const char *name,
			uint64_t max, uint64_t *ret)
{
	const json_t *value = member(reader, object, name);

	if (value == NULL)
		return;
	json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
	if (number < 0 || (uint64_t)number > max) {
		hetzner_reader_fail(reader, "\"%s\" is no number up to %llu", name,
				    (unsigned long long)max);
		return;
	}
	*ret = (uint64_t)number;
}

void hetzner_read_scaled(struct hetzner_reader *reader, const json_t *object, const char *name,
			 uint64_t scale, uint64_t *ret)
{
	const json_t *value = member(reader, object, name);

	if (value == NULL)
		return;
	double number = json_number_value(value) * (double)scale;
	if (!json_is_number(value) || !(number >= 0) || number > NUMBER_MAX) {
		hetzner_reader_fail(reader, "\"%s\" is no amount", name);
		return;
	}
	*ret = (uint64_t)number;
}

void hetzner_read_bool(struct hetzner_reader *reader, const json_t *object, const char *name,
		       bool *ret)
{
	if (!is_given(reader, object, name))
		return;
	const json_t *value = json_object_get(object, name);
	if (!json_is_boolean(value)) {
		hetzner_reader_fail(reader, "\"%s\" is neither true nor false", name);
		return;
	}
	*ret = json_is_true(value);
}

bool hetzner_parse_time(const char *text, int64_t *ret_us)
{
	struct tm time = {0};
	const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &time);
	int64_t fraction_us = 0;

	if (at == NULL || time.tm_year < 70)
		return false;
	if (*at == '.') {
		int64_t unit = 100000;
		size_t digits = strspn(at + 1, "0123456789");
		for (size_t i = 1; i <= digits; i++, unit /= 10)
			fraction_us += (at[i] - '0') * unit;
		if (digits == 0)
			return false;
		at += 1 + digits;
	}
	if (!str_eq(at, "Z") && !str_eq(at, "+00:00"))
		return false;
	*ret_us = (int64_t)timegm(&time) * 1000000 + fraction_us;
	return true;
}

void hetzner_read_time(struct hetzner_reader *reader, const json_t *object, const char *name,
		       int64_t *ret_us)
{
	char text[64] = "";

	hetzner_read_text(reader, object, name, text, sizeof(text));
	if (!reader->failed && !hetzner_parse_time(text, ret_us))
		hetzner_reader_fail(reader, "\"%s\" is no time in UTC", name);
}

void hetzner_read_optional_time(struct hetzner_reader *reader, const json_t *object,
				const char *name, int64_t *ret_us)
{
	if (is_given(reader, object, name))
		hetzner_read_time(reader, object, name, ret_us);
}

const json_t *hetzner_read_object(struct hetzner_reader *reader, const json_t *object,
				  const char *name)
{
	const json_t *value = member(reader, object, name);

	if (value != NULL && !json_is_object(value))
		hetzner_reader_fail(reader, "\"%s\" is no object", name);
	return reader->failed ? NULL : value;
}

const json_t *hetzner_read_optional_object(struct hetzner_reader *reader, const json_t *object,
					   const char *name)
{
	return is_given(reader, object, name) ? hetzner_read_object(reader, object, name) : NULL;
}

const json_t *hetzner_read_array(struct hetzner_reader *reader, const json_t *object,
				 const char *name, size_t count_max)
{
	const json_t *value = member(reader, object, name);

	if (value != NULL && !json_is_array(value))
		hetzner_reader_fail(reader, "\"%s\" is no list", name);
	else if (json_array_size(value) > count_max)
		hetzner_reader_fail(reader, "\"%s\" has more than %zu items", name, count_max);
	return reader->failed ? NULL : value;
}

static bool is_own_label(const char *key)
{
	return str_eq(key, LABEL_MANAGED_BY) || str_has_prefix(key, LABEL_RGRID);
}

static void take_label(struct hetzner_reader *reader, const char *key, const json_t *value,
		       struct hetzner_labels *ret)
{
	const char *text = json_string_value(value);

	if (text == NULL) {
		hetzner_reader_fail(reader, "a label in \"labels\" is no text");
		return;
	}
	if (ret->count == HETZNER_LABELS_MAX || strlen(text) >= sizeof(ret->items[0].value) ||
	    strlen(key) >= sizeof(ret->items[0].key)) {
		ret->omitted++;
		return;
	}
	struct hetzner_label *label = &ret->items[ret->count++];
	(void)snprintf(label->key, sizeof(label->key), "%s", key);
	(void)snprintf(label->value, sizeof(label->value), "%s", text);
}

void hetzner_read_labels(struct hetzner_reader *reader, const json_t *object,
			 struct hetzner_labels *ret)
{
	json_t *labels = json_object_get(object, "labels");
	const char *key;
	json_t *value;

	if (!is_given(reader, object, "labels"))
		return;
	if (!json_is_object(labels)) {
		hetzner_reader_fail(reader, "\"labels\" are none");
		return;
	}
	for (int own = 1; own >= 0; own--) {
		json_object_foreach (labels, key, value) {
			if (is_own_label(key) == (own == 1))
				take_label(reader, key, value, ret);
		}
	}
}

bool hetzner_parse_micros(const char *text, int64_t *ret_micros)
{
	size_t euros_digits = strspn(text, "0123456789");
	const char *fraction = text + euros_digits;
	int64_t micros = 0;

	if (euros_digits == 0 || euros_digits > EUROS_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < euros_digits; i++)
		micros = micros * 10 + (text[i] - '0');
	if (*fraction == '.')
		fraction++;
	else if (*fraction != '\0')
		return false;
	size_t digits = strspn(fraction, "0123456789");
	if (fraction[digits] != '\0' || (digits == 0 && fraction[-1] == '.'))
		return false;
	for (size_t i = 0; i < MICROS_DIGITS; i++)
		micros = micros * 10 + (i < digits ? fraction[i] - '0' : 0);
	if (digits > MICROS_DIGITS && fraction[MICROS_DIGITS] >= '5')
		micros++;
	*ret_micros = micros;
	return true;
}
