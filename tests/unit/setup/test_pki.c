/* The private CA: what is made once, renewed, refused. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "setup/pki.h"
#include "tap.h"

#define DAY_US ((int64_t)24 * 60 * 60 * 1000000)

static const char *const ips[] = {"10.0.1.2"};
static const char *const other_ips[] = {"10.0.1.9"};
static const char *const dns[] = {"db.example"};
static const struct pki_names names = {ips, 1, dns, 1};
static const struct pki_names other_names = {other_ips, 1, NULL, 0};

static enum pki_state state_of(const char *directory, const struct pki_names *wanted)
{
	struct error err = {0};
	enum pki_state state = PKI_GOOD;

	EXPECT_OK(pki_server_check(directory, "server.pem", wanted, &state, NULL, &err), err);
	return state;
}

static void ensure(const char *directory, bool expect_issued)
{
	struct error err = {0};
	bool issued = false;

	EXPECT_OK(pki_ca_ensure(directory, NULL, &err), err);
	EXPECT_OK(pki_server_ensure(directory, "server.pem", &names, getuid(), getgid(), &issued,
				    &err),
		  err);
	EXPECT_INT(issued, expect_issued);
}

static void read_file(const char *path, struct buf *out)
{
	struct error err = {0};
	buf_init(out, 65536);
	EXPECT_OK(fs_read(AT_FDCWD, path, out, &err), err);
}

static mode_t mode_of(const char *path)
{
	struct stat status;
	EXPECT(stat(path, &status) == 0);
	return status.st_mode & 07777;
}

TEST(made_once_and_private)
{
	struct buf before, after;

	ensure("pki", true);
	EXPECT_INT(mode_of("pki/ca.key"), 0600);
	EXPECT_INT(mode_of("pki/ca.crt"), 0644);
	EXPECT_INT(mode_of("server.pem"), 0600);
	read_file("server.pem", &before);
	ensure("pki", false);
	read_file("server.pem", &after);
	EXPECT_STR(after.data, before.data);
	buf_release(&before);
	buf_release(&after);
}

TEST(a_year_is_good)
{
	struct error err = {0};
	int64_t expires = 0;

	ensure("pki", true);
	EXPECT_OK(pki_expiry("server.pem", &expires, &err), err);
	EXPECT(expires > clock_wall_us() + 364 * DAY_US);
	EXPECT(expires < clock_wall_us() + 366 * DAY_US);
}

TEST(a_key_without_certificate_is_certified)
{
	struct buf before, after;

	ensure("pki", true);
	read_file("pki/ca.key", &before);
	EXPECT(unlink("pki/ca.crt") == 0);
	ensure("pki", false);
	read_file("pki/ca.key", &after);
	EXPECT_STR(after.data, before.data);
	buf_release(&before);
	buf_release(&after);
}

TEST(each_fault_has_its_name)
{
	struct error err = {0};

	ensure("pki", true);
	EXPECT_INT(state_of("pki", &names), PKI_GOOD);
	EXPECT_INT(state_of("pki", &other_names), PKI_WRONG_NAME);
	EXPECT_OK(pki_ca_ensure("pki2", NULL, &err), err);
	EXPECT_INT(state_of("pki2", &names), PKI_OTHER_CA);
	EXPECT_OK(fs_write_atomic("server.pem", "junk", 4, 0600, &err), err);
	EXPECT_INT(state_of("pki", &names), PKI_BROKEN);
	EXPECT(unlink("server.pem") == 0);
	EXPECT_INT(state_of("pki", &names), PKI_ABSENT);
}

TEST(halves_of_two_authorities_are_refused)
{
	struct error err = {0};

	EXPECT_OK(pki_ca_ensure("pki", NULL, &err), err);
	EXPECT_OK(pki_ca_ensure("pki2", NULL, &err), err);
	EXPECT(rename("pki2/ca.key", "pki/ca.key") == 0);
	EXPECT_ERR(pki_ca_ensure("pki", NULL, &err), err, ERR_CONFLICT);
	EXPECT(unlink("pki/ca.key") == 0);
	EXPECT_ERR(pki_ca_ensure("pki", NULL, &err), err, ERR_CONFLICT);
}

TEST(a_name_that_would_be_two_is_refused)
{
	static const char *const bad[] = {"a,IP:1.2.3.4"};
	static const struct pki_names two = {ips, 1, bad, 1};
	struct error err = {0};

	EXPECT_OK(pki_ca_ensure("pki", NULL, &err), err);
	EXPECT_ERR(pki_server_issue("pki", "server.pem", &two, getuid(), getgid(), &err), err,
		   ERR_INVALID);
	EXPECT(access("server.pem", F_OK) != 0);
}
