/* The system calls that a script may make: a list of what programs need, all others answer ENOSYS,
 * so that a C library falls back where it can. Compiled once, handed to crun as a program. */
#pragma once

#include "base/buf.h"
#include "base/error.h"

/* Appends the BPF program in base64, as the annotation run.oci.seccomp_bpf_data wants it. */
MUST_CHECK int syscall_filter_compile(struct buf *out, struct error *err);
