/* rgrid: the user's command. Verbs are in src/cli/verbs.def. */
#include "cli/dispatch.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
