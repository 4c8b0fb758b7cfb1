#include "api/instant.h"

#include <stdbool.h>

#define US_PER_S INT64_C(1000000)

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && is_leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years are counted from March. */
static int64_t days_since_1970(int year, int month, int day)
{
	int64_t march_year = month <= 2 ? year - 1 : year;
	int64_t era = march_year / 400;
	int64_t year_of_era = march_year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static bool read_digits(const char **at, int digits, int min, int max, int *ret)
{
	int number = 0;

	for (int i = 0; i < digits; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		number = number * 10 + (**at - '0');
	}
	*ret = number;
	return number >= min && number <= max;
}

static bool read_char(const char **at, const char *one_of)
{
	for (; *one_of != '\0'; one_of++) {
		if (**at == *one_of) {
			(*at)++;
			return true;
		}
	}
	return false;
}

static bool read_fraction(const char **at, int64_t *ret_us)
{
	int64_t unit = US_PER_S / 10;
	int digits = 0;

	*ret_us = 0;
	if (!read_char(at, "."))
		return true;
	for (; **at >= '0' && **at <= '9' && digits <= 9; (*at)++, digits++) {
		*ret_us += (**at - '0') * unit;
		unit /= 10;
	}
	return digits >= 1 && digits <= 9;
}

static bool read_offset(const char **at, int64_t *ret_seconds)
{
	int hours;
	int minutes;
	bool is_west = **at == '-';

	*ret_seconds = 0;
	if (read_char(at, "Zz"))
		return true;
	if (!read_char(at, "+-") || !read_digits(at, 2, 0, 23, &hours) || !read_char(at, ":") ||
	    !read_digits(at, 2, 0, 59, &minutes))
		return false;
	*ret_seconds = (hours * 60 + minutes) * (is_west ? -60 : 60);
	return true;
}

static bool read_instant(const char *at, int64_t *ret_wall_us)
{
	int year;
	int month;
	int day;
	int hour;
	int minute;
	int second;
	int64_t fraction_us;
	int64_t offset_s;

	if (!read_digits(&at, 4, 1970, 9999, &year) || !read_char(&at, "-") ||
	    !read_digits(&at, 2, 1, 12, &month) || !read_char(&at, "-") ||
	    !read_digits(&at, 2, 1, days_in_month(year, month), &day) || !read_char(&at, "Tt "))
		return false;
	/* A leap second is the next second's first. */
	if (!read_digits(&at, 2, 0, 23, &hour) || !read_char(&at, ":") ||
	    !read_digits(&at, 2, 0, 59, &minute) || !read_char(&at, ":") ||
	    !read_digits(&at, 2, 0, 60, &second) || !read_fraction(&at, &fraction_us) ||
	    !read_offset(&at, &offset_s) || *at != '\0')
		return false;
	int64_t seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 +
			  second - offset_s;
	*ret_wall_us = seconds * US_PER_S + fraction_us;
	return seconds >= 0;
}

int instant_parse(const char *text, int64_t *ret_wall_us, struct error *err)
{
	if (read_instant(text, ret_wall_us))
		return 0;
	error_set(err, ERR_INVALID, "\"%.64s\" is not a time", text);
	return error_hint(err, "write it as in 2026-11-23T18:53:21Z");
}
