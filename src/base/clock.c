#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/error.h"

static struct timespec now_of(clockid_t clock)
{
	struct timespec now;
	int failed = clock_gettime(clock, &now);

	CHECK(failed == 0);
	return now;
}

uint64_t clock_boottime_us(void)
{
	struct timespec now = now_of(CLOCK_BOOTTIME);

	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_boottime_ms(void)
{
	return clock_boottime_us() / 1000;
}

int64_t clock_wall_us(void)
{
	struct timespec now = now_of(CLOCK_REALTIME);

	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The years that RFC 3339 can write: 0000 to 9999. */
#define RFC3339_FIRST_S (-62167219200LL)
#define RFC3339_LAST_S	253402300799LL

const char *clock_format_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_BYTES])
{
	int64_t seconds = wall_us / 1000000;
	int64_t us = wall_us % 1000000;
	struct tm parts = {0};

	if (us < 0) {
		us += 1000000;
		seconds--;
	}
	if (seconds < RFC3339_FIRST_S) {
		seconds = RFC3339_FIRST_S;
		us = 0;
	} else if (seconds > RFC3339_LAST_S) {
		seconds = RFC3339_LAST_S;
		us = 999999;
	}
	time_t when = (time_t)seconds;

	CHECK(gmtime_r(&when, &parts) != NULL);
	/* The remainders change nothing; they show the compiler that the text fits. */
	(void)snprintf(out, CLOCK_RFC3339_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		       ((unsigned)parts.tm_year + 1900U) % 10000U,
		       (unsigned)parts.tm_mon % 12U + 1U, (unsigned)parts.tm_mday % 32U,
		       (unsigned)parts.tm_hour % 24U, (unsigned)parts.tm_min % 60U,
		       (unsigned)parts.tm_sec % 61U, (unsigned)(us / 1000) % 1000U);
	return out;
}
