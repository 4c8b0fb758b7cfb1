# shellcheck shell=bash
# A system of the test's own on this computer: processes, mounts, /etc and PostgreSQL's directories, which
# vanish with it. Source it after tap.sh.
#
#   private_system_enter SCRIPT "$@"  starts the script (an absolute path) anew inside; ends it as skipped, with the reason, where
#                                    that cannot be had. Goes on at once when it is inside
#   private_system_up                /etc becomes a copy, without clusters and without RGrid; PostgreSQL's
#                                    directories and RGrid's become empty, and no systemd is to be seen
#   private_system_down              for tap_at_exit
#
# PRIVATE_SYSTEM_ID is a number for names that others can see (network namespaces).

private_system_enter() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "1..0 # SKIP needs root"
		exit 0
	fi
	if [ -z "${PRIVATE_SYSTEM_ID-}" ]; then
		if ! unshare --mount --pid --fork --net true 2>/dev/null || ! command -v pg_createcluster >/dev/null; then
			echo "1..0 # SKIP needs namespaces and Debian's postgresql"
			exit 0
		fi
		export PRIVATE_SYSTEM_ID=$$
		exec unshare --mount --pid --fork --kill-child --mount-proc -- "$@"
	fi
	unset RGRID_PRIVATE_DB_IP RGRID_NETWORK_ID RGRID_DATABASE RGRID_CONFIG RGRID_URL RGRID_TOKEN HETZNER_API_TOKEN \
		HCLOUD_TOKEN
}

private_system_up() {
	local directory
	mkdir "$TEST_DIR/fs"
	mount -t tmpfs tmpfs "$TEST_DIR/fs"
	chmod 755 "$TEST_DIR/fs"
	cp -a /etc "$TEST_DIR/fs/etc"
	mkdir -p /run/postgresql /var/lib/postgresql /var/log/postgresql
	mount --bind "$TEST_DIR/fs/etc" /etc
	rm -rf /etc/postgresql /etc/rgrid
	mkdir -p /etc/postgresql /etc/rgrid
	for directory in /var/lib/postgresql /run/postgresql /var/log/postgresql; do
		mount -t tmpfs tmpfs "$directory"
		chown postgres:postgres "$directory"
	done
	chmod 2775 /run/postgresql
	for directory in /var/lib/rgrid /run/rgrid-setup /run/systemd; do
		mkdir -p "$directory"
		mount -t tmpfs tmpfs "$directory"
	done
}

private_system_down() {
	pg_ctlcluster 15 main stop -m immediate >/dev/null 2>&1
	umount -l /etc /var/lib/rgrid /run/rgrid-setup /run/systemd /var/lib/postgresql /run/postgresql /var/log/postgresql "$TEST_DIR/fs" 2>/dev/null
	true
}
