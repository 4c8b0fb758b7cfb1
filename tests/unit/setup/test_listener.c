#include "setup/listener.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/str.h"
#include "tap.h"

TEST(port_zero_takes_a_free_one_and_says_which)
{
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_free) char *url = NULL;
	struct error err = {0};
	int listening = 0;
	socklen_t bytes = sizeof(listening);
	EXPECT_OK(listener_open("127.0.0.1:0", 0, &fd, &url, &err), err);
	EXPECT(str_has_prefix(url, "http://127.0.0.1:"));
	EXPECT(!str_has_suffix(url, ":0"));
	EXPECT(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes) == 0 && listening);
}

TEST(an_api_that_listens_everywhere_is_reached_on_the_loopback)
{
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_free) char *url = NULL;
	struct error err = {0};
	EXPECT_OK(listener_open("0.0.0.0:0", 0, &fd, &url, &err), err);
	EXPECT(str_has_prefix(url, "http://127.0.0.1:"));
}

TEST(version_six_addresses_stand_in_brackets)
{
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_free) char *url = NULL;
	struct error err = {0};
	if (listener_open("[::1]:0", 0, &fd, &url, &err) < 0)
		tap_skip("this machine has no IPv6 loopback: %s", err.msg);
	EXPECT(str_has_prefix(url, "http://[::1]:"));
}

TEST(a_port_in_use_is_a_conflict_with_a_way_out)
{
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_free) char *url = NULL;
	struct error err = {0};
	int second = -1;
	char *second_url = NULL;
	EXPECT_OK(listener_open("127.0.0.1:0", 0, &fd, &url, &err), err);
	const char *address = url + strlen("http://");
	EXPECT_ERR(listener_open(address, 0, &second, &second_url, &err), err, ERR_CONFLICT);
	EXPECT(strstr(err.msg, address) != NULL);
	EXPECT(strstr(err.hint, "--listen") != NULL);
	uint64_t begin_ms = clock_boottime_ms();
	EXPECT_ERR(listener_open(address, 200, &second, &second_url, &err), err, ERR_CONFLICT);
	EXPECT(clock_boottime_ms() - begin_ms >= 200);
}

TEST(addresses_of_other_machines_are_refused)
{
	int fd = -1;
	char *url = NULL;
	struct error err = {0};
	EXPECT_ERR(listener_open("192.0.2.1:0", 0, &fd, &url, &err), err, ERR_INVALID);
	EXPECT_ERR(listener_open("no host:1", 0, &fd, &url, &err), err, ERR_INVALID);
}
