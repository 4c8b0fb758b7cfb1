#!/usr/bin/env bash
# The disk under the blob store fills up: users are told, nothing accepted is lost, and work goes on when
# there is room again. The store lies on a small tmpfs, seen only in this test's own mount namespace.
set -u
if [ "$(id -u)" -eq 0 ] && [ -z "${FULL_DISK_INSIDE:-}" ]; then
	FULL_DISK_INSIDE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/grid.sh
tap_begin
if [ "$(id -u)" -ne 0 ]; then
	skip "a full disk under the blob store" "only root can mount a small one"
	tap_end
fi
readonly STORE=$TEST_DIR/grid/blobs
grid_start --workers 1 --slots 2
grid_stop || exit 1
mount -t tmpfs -o size=24m,mode=700 full "$STORE" || exit 1
grid_start --workers 1 --slots 2

work=$TEST_DIR/work
mkdir "$work"
cd "$work" || exit 1
echo 'import sys; print(len(open(sys.argv[1], "rb").read()))' >length.py
head -c 1000 /dev/urandom >small.bin
head -c 40000000 /dev/urandom >large.bin

check_output "there is room for a little" 1000 "$RGRID" run length.py small.bin
too_large() {
	"$RGRID" run length.py large.bin >out.txt 2>err.txt
	local code=$?
	cat err.txt
	[ "$code" -eq 6 ] && grep -qi 'full\|no space' err.txt
}
check "an upload that does not fit is refused with 6, and says why" too_large
check_output "  and leaves nothing: the little still fits" 1000 "$RGRID" run length.py small.bin
none_left() { [ -z "$(ls -A "$STORE/tmp")" ]; }
check "  no partial blob stays behind" none_left

# A job whose output does not fit waits for room, with its result not lost.
printf 'import os\nopen("big.bin", "wb").write(os.urandom(18 << 20))\nprint("written")\n' >big.py
head -c 12000000 /dev/urandom >"$STORE/ballast"
output_waits() {
	refused_before=$(refused)
	"$RGRID" run --name big big.py >big.out 2>big.err &
	local client=$!
	wait_until 30 grep -q written big.out || return 1
	wait_until 30 refused_again || return 1
	rm "$STORE/ballast"
	wait "$client" || { cat big.err; return 1; }
	[ "$(wc -c <big.bin)" -eq $((18 << 20)) ]
}
# How many requests the API has answered with 507.
refused() { curl -sf "$RGRID_URL/metrics" | awk '/^rgrid_http_request_duration_seconds_count.*"507"/ {n += $NF} END {print n + 0}'; }
refused_again() { [ "$(refused)" -gt "$refused_before" ]; }
check "an output that does not fit waits, and arrives when there is room" output_waits
check "every job has ended, none is lost" sh -c '[ "$("$1" list --json | jq "[.items[] | select(.state == \"completed\")] | length")" = 3 ]' sh "$RGRID"
grid_stop
cd /
umount "$STORE"
tap_end
