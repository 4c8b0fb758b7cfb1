#include "cli/money.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MICROS_DIGITS	6
#define EUROS_DIGITS	12
#define MICROS_PER_EURO 1000000

static const char *skip_currency(const char *text)
{
	static const char *const marks[] = {"€", "EUR", "eur"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (strncmp(text, marks[i], strlen(marks[i])) == 0) {
			text += strlen(marks[i]);
			break;
		}
	}
	return text + strspn(text, " ");
}

int money_parse(const char *text, uint64_t max, uint64_t *ret_micros, struct error *err)
{
	const char *at = skip_currency(text);
	size_t whole = strspn(at, "0123456789");
	uint64_t micros = 0;

	for (size_t i = 0; i < whole && i < EUROS_DIGITS; i++)
		micros = micros * 10 + (uint64_t)(at[i] - '0');
	micros *= MICROS_PER_EURO;
	const char *end = at + whole;
	if (*end == '.') {
		size_t digits = strspn(end + 1, "0123456789");
		uint64_t unit = MICROS_PER_EURO;

		for (size_t i = 0; i < digits && i < MICROS_DIGITS; i++) {
			unit /= 10;
			micros += (uint64_t)(end[1 + i] - '0') * unit;
		}
		if (digits == 0 || digits > MICROS_DIGITS)
			whole = 0;
		end += 1 + digits;
	}
	if (whole == 0 || whole > EUROS_DIGITS || *end != '\0' || micros > max) {
		error_set(err, ERR_INVALID, "\"%s\" is not an amount of euros", text);
		return error_hint(err, "write it as 50, 50.50 or €50");
	}
	*ret_micros = micros;
	return 0;
}

const char *money_format(int64_t micros, char out[MONEY_BYTES])
{
	uint64_t amount = micros < 0 ? 0 : (uint64_t)micros;
	uint64_t euros = amount / MICROS_PER_EURO;
	uint64_t rest = amount % MICROS_PER_EURO;

	if (euros > 0 || rest == 0) {
		(void)snprintf(out, MONEY_BYTES, "€%" PRIu64 ".%02" PRIu64, euros, rest / 10000);
		return out;
	}
	(void)snprintf(out, MONEY_BYTES, "€0.%06" PRIu64, rest);
	for (size_t end = strlen(out); end > strlen("€0.00") && out[end - 1] == '0'; end--)
		out[end - 1] = '\0';
	return out;
}
