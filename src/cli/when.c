#include "cli/when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define US_PER_S 1000000

bool when_parse(const char *text, int64_t *ret_wall_us)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	int64_t fraction_us = 0;
	int64_t scale = US_PER_S / 10;

	if (!rest)
		return false;
	if (*rest == '.') {
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
			fraction_us += (*rest - '0') * scale;
	}
	if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
		return false;
	*ret_wall_us = (int64_t)timegm(&parts) * US_PER_S + fraction_us;
	return true;
}

const char *when_relative(int64_t wall_us, int64_t now_us, char out[WHEN_BYTES])
{
	long long passed_s = (long long)((now_us - wall_us) / US_PER_S);
	time_t seconds = (time_t)(wall_us / US_PER_S);
	struct tm parts;

	if (passed_s < 2)
		(void)snprintf(out, WHEN_BYTES, "just now");
	else if (passed_s < 120)
		(void)snprintf(out, WHEN_BYTES, "%llds ago", passed_s);
	else if (passed_s < 2LL * 3600)
		(void)snprintf(out, WHEN_BYTES, "%lldm ago", passed_s / 60);
	else if (passed_s < 2LL * 86400)
		(void)snprintf(out, WHEN_BYTES, "%lldh ago", passed_s / 3600);
	else if (passed_s < 30LL * 86400)
		(void)snprintf(out, WHEN_BYTES, "%lldd ago", passed_s / 86400);
	else if (!gmtime_r(&seconds, &parts) || strftime(out, WHEN_BYTES, "%Y-%m-%d", &parts) == 0)
		(void)snprintf(out, WHEN_BYTES, "long ago");
	return out;
}

const char *when_show(const char *text, bool relative, char out[WHEN_BYTES])
{
	int64_t wall_us;

	if (text && relative && when_parse(text, &wall_us))
		return when_relative(wall_us, clock_wall_us(), out);
	(void)snprintf(out, WHEN_BYTES, "%s", text ? text : "");
	return out;
}
