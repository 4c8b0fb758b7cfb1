/* Loop devices of a machine. They are the kernel's, shared by all machines and this computer, and
 * outlive the processes that attached them: on a real server a power cycle frees them, here we do.
 *
 * A device is a machine's when its image lies on one of the machine's file systems. A path cannot
 * tell: it is the one inside the machine, and the image may have no name any more. The numbers of
 * these file systems can; the machine writes them down when it boots. */
#pragma once

#define LOOP_RECORD "file-systems" /* in the machine's platform/: a decimal st_dev a line */

/* Of a machine that has no process left; `directory` is its own. A device that is still mounted in
 * a namespace which the kernel is just taking down is freed with that mount. */
void loop_detach_all(const char *directory);
