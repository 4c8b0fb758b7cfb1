#include "hcloud/vclock.h"

#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"

#define US_PER_S     1000000
#define S_PER_MINUTE 60
#define S_PER_HOUR   3600
#define HOURS_MAX    23
#define MINUTES_MAX  59

void vclock_init(struct vclock *clock, int64_t wall_us, uint64_t rate)
{
	CHECK(rate > 0);
	*clock = (struct vclock){
		.wall_us = wall_us, .boottime_us = clock_boottime_us(), .rate = rate};
}

int64_t vclock_now_us(const struct vclock *clock)
{
	uint64_t elapsed_us = clock_boottime_us() - clock->boottime_us;

	return clock->wall_us + (int64_t)(elapsed_us * clock->rate);
}

void vclock_set_rate(struct vclock *clock, uint64_t rate)
{
	vclock_init(clock, vclock_now_us(clock), rate);
}

void vclock_advance(struct vclock *clock, uint64_t us)
{
	clock->wall_us += (int64_t)us;
}

const char *vclock_format(int64_t wall_us, char out[VCLOCK_TEXT_BYTES])
{
	char rfc3339[CLOCK_RFC3339_BYTES];

	(void)snprintf(out, VCLOCK_TEXT_BYTES, "%.19s+00:00",
		       clock_format_rfc3339(wall_us, rfc3339));
	return out;
}

const char *vclock_format_http(int64_t wall_us, char out[VCLOCK_TEXT_BYTES])
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(wall_us / US_PER_S);
	struct tm tm;

	CHECK(gmtime_r(&seconds, &tm) != NULL);
	(void)snprintf(out, VCLOCK_TEXT_BYTES, "%s, %02d %s %04d %02d:%02d:%02d GMT",
		       days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
		       tm.tm_hour, tm.tm_min, tm.tm_sec);
	return out;
}

/* "+02:00", to seconds east of Greenwich. */
static bool parse_offset(const char *text, int64_t *ret_s)
{
	unsigned hours;
	unsigned minutes;
	int bytes = 0;

	if ((*text != '+' && *text != '-') ||
	    sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &bytes) != 2 || bytes != 5 ||
	    text[6] != '\0' || hours > HOURS_MAX || minutes > MINUTES_MAX)
		return false;
	*ret_s = (int64_t)hours * S_PER_HOUR + (int64_t)minutes * S_PER_MINUTE;
	if (*text == '-')
		*ret_s = -*ret_s;
	return true;
}

bool vclock_parse(const char *text, int64_t *ret_wall_us)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t offset_s = 0;

	if (rest && *rest == '.' && rest[1] >= '0' && rest[1] <= '9')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (!rest || (*rest != '\0' && !str_eq(rest, "Z") && !parse_offset(rest, &offset_s)))
		return false;
	*ret_wall_us = ((int64_t)timegm(&tm) - offset_s) * US_PER_S;
	return true;
}
