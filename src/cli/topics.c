#include "cli/topics.h"

#include "base/check.h"
#include "base/cleanup.h"

static const struct topic topics[] = {
	{"files", "FILES TRAVEL",
	 "Arguments that name existing files travel to the worker and keep their relative names, "
	 "also behind \"--in=\". A file outside of the current directory cannot keep its name: it "
	 "appears as _inputs/NAME in the job, the argument is changed to that, and rgrid says so. "
	 "Arguments that name a directory make an empty one; send its files with --file.\n\n"
	 "What is piped or redirected into rgrid becomes the script's standard input, read to its "
	 "end before the job starts. In a loop that reads its own input, or where standard input "
	 "never ends (some daemons, ssh), use --no-stdin.\n\n"
	 "Files that the script writes below its working directory come back to the same places "
	 "here, or below --output-dir."},
	{"exit-codes", "EXIT CODES",
	 "run and attach end with the script's own exit code (128+N for signal N), or\n\n"
	 "124 the time limit was reached; 137 out of memory; 125 RGrid failed, not the script; "
	 "130 interrupted (the job goes on, or was cancelled with --cancel-on-interrupt).\n\n"
	 "For a batch: 0 all jobs succeeded, 1 some failed, 125 RGrid failed.\n\n"
	 "All verbs: 2 wrong usage, 4 no valid credentials, 5 not found, 6 a limit is reached, "
	 "7 the server cannot be reached."},
	{"environment", "ENVIRONMENT",
	 "RGRID_URL, RGRID_TOKEN: the server and the key, before all files. RGRID_CA_FILE: the "
	 "authority to trust. NO_COLOR, CLICOLOR_FORCE, TERM=dumb: colour.\n\n"
	 "Files, in order of precedence: .rgrid/config here or above (url only), "
	 "$XDG_CONFIG_HOME/rgrid/credentials and config, /etc/rgrid/config. Lines are "
	 "\"key = value\" with the keys url, token (credentials only) and ca_file. A key is only "
	 "sent to the server it was stored for."},
};

size_t topic_count(void)
{
	return ARRAY_SIZE(topics);
}

const struct topic *topic_at(size_t index)
{
	CHECK(index < ARRAY_SIZE(topics));
	return &topics[index];
}
