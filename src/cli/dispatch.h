/* The command line from argv to exit code: options before the verb, the verb, the report of what
 * failed. */
#pragma once

int cli_main(int argc, char **argv);
