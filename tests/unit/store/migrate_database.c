#include <stdio.h>

#include "store/migrate.h"

int main(int argc, char **argv)
{
	struct error err;

	if (argc == 2 && migrate_run(argv[1], &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", argc == 2 ? err.msg : "usage: migrate_database CONNINFO");
	return 1;
}
