#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile int raised;
static volatile sig_atomic_t received_count;

static void on_signal(int number)
{
	if (received_count++ > 0)
		_exit(128 + number);
	raised = number;
}

void interrupt_install(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL); /* cannot fail for these signals */
	(void)sigaction(SIGTERM, &action, NULL);
}

int interrupt_signal(void)
{
	return raised;
}

const volatile int *interrupt_flag(void)
{
	return &raised;
}

void interrupt_clear(void)
{
	raised = 0;
}

void interrupt_wait_ms(uint64_t duration_ms)
{
	if (!raised)
		(void)poll(NULL, 0, (int)(duration_ms < 60000 ? duration_ms : 60000));
}
