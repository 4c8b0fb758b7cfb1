/* Ctrl-C and SIGTERM while a job is watched: the first asks the program to let go (the flag is
 * watched by every wait and by the HTTP client), the second ends it at once. The only mutable
 * global of this room: signal handlers have no other way. */
#pragma once

#include <stdint.h>

/* From now on signals raise the flag instead of ending the program. */
void interrupt_install(void);
/* 0, or the signal that was received. */
int interrupt_signal(void);
const volatile int *interrupt_flag(void);
/* Forgets the first signal, so that one last request (a cancel) can be sent. A further one still
 * ends the program at once. */
void interrupt_clear(void);
/* Waits so long, or until a signal. */
void interrupt_wait_ms(uint64_t duration_ms);
