/* The system call filter of every job: an allow-list. What is on neither list below does not exist
 * (ENOSYS, so that libraries fall back), what is dangerous is refused (EPERM): new namespaces,
 * mounts, keyrings, tracing, BPF, io_uring, and whatever else has no place in a script. Programs for
 * another architecture than ours are killed.
 *
 * Compiled once at open; crun takes the program as it is and need not compile a profile per job. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#define SECCOMP_PROGRAM_BYTES_MAX 65536

/* Appends the BPF program (an array of struct sock_filter). */
MUST_CHECK int seccomp_compile(struct buf *program, struct error *err);
