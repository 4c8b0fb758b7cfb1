#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "base/check.h"

void rand_bytes(void *out, size_t bytes)
{
	unsigned char *next = out;

	while (bytes > 0) {
		ssize_t got = getrandom(next, bytes, 0);

		if (got < 0 && errno == EINTR)
			continue;
		CHECK(got > 0);
		next += got;
		bytes -= (size_t)got;
	}
}

uint64_t rand_u64(void)
{
	uint64_t value;

	rand_bytes(&value, sizeof(value));
	return value;
}

uint64_t rand_below(uint64_t bound)
{
	CHECK(bound > 0);
	/* 2^64 mod bound: values under it are drawn again, the rest divides evenly. */
	uint64_t least = (0 - bound) % bound;
	uint64_t value;

	do
		value = rand_u64();
	while (value < least);
	return value % bound;
}
