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
#define FIRST_LINE_BYTES    256 /* as much of it as the kernel reads */

/* "No such file" is also the kernel's word for an interpreter that is not there. */
static void complain(const char *program, int reason)
{
	char line[FIRST_LINE_BYTES] = "";
	FILE *script = reason == ENOENT ? fopen(program, "re") : NULL;
	char *interpreter = NULL;

	if (script && fgets(line, sizeof(line), script) && strncmp(line, "#!", 2) == 0) {
		interpreter = line + 2 + strspn(line + 2, " \t");
		interpreter[strcspn(interpreter, " \t\r\n")] = '\0';
	}
	if (interpreter)
		fprintf(stderr, "rgrid: cannot start %s: its interpreter %s is not there\n",
			program, interpreter);
	else
		fprintf(stderr, "rgrid: cannot start %s: %s\n", program, strerror(reason));
	if (script)
		(void)fclose(script);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	pid_t script = fork();
	if (script < 0) {
		complain(argv[1], errno);
		return EXIT_NOT_EXECUTABLE;
	}
	if (script == 0) {
		execvp(argv[1], argv + 1);
		int reason = errno;
		complain(argv[1], reason);
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
