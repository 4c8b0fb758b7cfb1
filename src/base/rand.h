/* Randomness from the kernel. For secrets, tokens and jitter alike. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t bytes);
uint64_t rand_u64(void);
uint64_t rand_below(uint64_t bound); /* uniform in [0, bound), bound > 0 */
