/* CHECK: what must hold whatever the world does. A failure is a bug of ours: the process prints
 * function, file, line and condition, and aborts. It stays on in release builds. Faults of the
 * world (input, network, disk) are never CHECKed, they are `struct error`. */
#pragma once

__attribute__((noreturn, cold)) void check_failed(const char *condition, const char *file, int line,
						  const char *function);

#define CHECK(condition)                                                        \
	do {                                                                    \
		if (__builtin_expect(!(condition), 0))                          \
			check_failed(#condition, __FILE__, __LINE__, __func__); \
	} while (0)

/* For the end of a switch that covers every value of an enum. */
#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__, __func__)
