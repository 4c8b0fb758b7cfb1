/* The first process of a sandbox's pid namespace. The kernel shields a first process from signals
 * that it did not ask for, its own among them, and hands it every orphan: a script in its place
 * would behave unlike anywhere else. So this starts the script as its child, reaps, and ends as the
 * script does (128+n for signal n); the kernel then ends whatever the script left running.
 *
 * Linked statically: it runs before anything of the root is known to be sound. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_FOUND	    127
#define EXIT_NOT_EXECUTABLE 126

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	pid_t script = fork();
	if (script < 0) {
		fprintf(stderr, "rgrid: cannot start %s: %s\n", argv[1], strerror(errno));
		return EXIT_NOT_EXECUTABLE;
	}
	if (script == 0) {
		execvp(argv[1], argv + 1);
		int reason = errno;
		fprintf(stderr, "rgrid: cannot start %s: %s\n", argv[1], strerror(reason));
		_exit(reason == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
	}
	for (;;) {
		int status;
		pid_t pid = wait(&status);
		if (pid == script)
			_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
		if (pid < 0 && errno != EINTR)
			return EXIT_NOT_EXECUTABLE;
	}
}
