#include "setup/pg_programs.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static void write_program(const char *path, const char *version)
{
	FILE *file = fopen(path, "w");
	EXPECT(file != NULL);
	EXPECT(fprintf(file, "#!/bin/sh\necho '%s'\n", version) > 0);
	EXPECT(fclose(file) == 0);
	EXPECT(chmod(path, 0755) == 0);
}

static char *fake_programs(const char *version)
{
	EXPECT(mkdir("bin", 0755) == 0);
	write_program("bin/initdb", version);
	write_program("bin/postgres", version);
	char *here = getcwd(NULL, 0);
	char *directory = xasprintf("%s/bin", here);
	free(here);
	return directory;
}

TEST(the_installed_ones_are_found_and_never_run_as_root)
{
	CLEANUP(cleanup_pg_programs) struct pg_programs programs = {0};
	struct error err = {0};
	EXPECT_OK(pg_programs_find("", 0, &programs, &err), err);
	EXPECT(programs.major >= PG_MAJOR_MIN);
	EXPECT(access(programs.initdb, X_OK) == 0);
	EXPECT(geteuid() != 0 || programs.uid != 0);
}

TEST(a_directory_that_is_named_is_the_only_one_looked_at)
{
	struct pg_programs programs = {0};
	struct error err = {0};
	EXPECT_ERR(pg_programs_find("/nonexistent", 0, &programs, &err), err, ERR_NOT_FOUND);
	EXPECT(strstr(err.hint, "/nonexistent") != NULL);
}

TEST(the_version_is_read)
{
	CLEANUP(cleanup_pg_programs) struct pg_programs programs = {0};
	CLEANUP(cleanup_free)
	char *directory = fake_programs("postgres (PostgreSQL) 17.2 (Debian)");
	struct error err = {0};
	EXPECT_OK(pg_programs_find(directory, 0, &programs, &err), err);
	EXPECT_INT(programs.major, 17);
}

TEST(another_major_version_than_the_clusters_is_named_with_its_package)
{
	struct pg_programs programs = {0};
	struct error err = {0};
	EXPECT_ERR(pg_programs_find("", 16, &programs, &err), err, ERR_NOT_FOUND);
	EXPECT(strstr(err.hint, "postgresql-16") != NULL);
}

TEST(old_versions_are_refused)
{
	struct pg_programs programs = {0};
	CLEANUP(cleanup_free) char *directory = fake_programs("postgres (PostgreSQL) 14.9");
	struct error err = {0};
	EXPECT_ERR(pg_programs_find(directory, 0, &programs, &err), err, ERR_NOT_FOUND);
}
