#!/usr/bin/env bash
# The sandbox of an ordinary user: scripts run, are held in, and limits that cannot be held are named.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin
RGRID_SANDBOX_INIT=$(realpath "${RGRID_BUILD:-build}/src/main/rgrid-sandbox-init")
export RGRID_SANDBOX_INIT
readonly USER_ID=${RGRID_TEST_UID:-65534}
mkdir "$TEST_DIR/user"
cp "${RGRID_BUILD:-build}/tests/sandbox/sandbox_probe" "$TEST_DIR/probe"
cp "$RGRID_SANDBOX_INIT" "$TEST_DIR/init"
chmod 755 "$TEST_DIR/probe" "$TEST_DIR/init"
RGRID_SANDBOX_INIT=$TEST_DIR/init

as_user() {
	if [ "$(id -u)" -ne 0 ]; then "$@"; else setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups -- "$@"; fi
}
[ "$(id -u)" -ne 0 ] || chown "$USER_ID:$USER_ID" "$TEST_DIR/user"
# Through pipes, as from a worker: crun gives what it prints to, if that is a file, to the script's user.
probe() {
	as_user "$TEST_DIR/probe" "$@" 3>"$TEST_DIR/result.json" </dev/null 2> >(cat >&2) | cat
	return "${PIPESTATUS[0]}"
}
probe_is() {
	local condition=$1
	shift
	probe "$@"
	cat "$TEST_DIR/result.json"
	jq -e "$condition" "$TEST_DIR/result.json" >/dev/null
}
readonly STATE=$TEST_DIR/user/state

check "a script runs, with its exit code" probe_is '.exit_code == 7 and (.start_failed | not)' "$STATE" sh -c 'exit 7'
check "python runs and writes its work directory" probe_is '.exit_code == 0' "$STATE" python3 -c 'open("a/b" if 0 else "ab", "w").write("x")'
check_output "as the job's user, without capabilities" "65534 0000000000000000" \
	probe "$STATE" sh -c 'echo "$(id -u) $(grep CapEff /proc/self/status | cut -f2)"'
check "limits that cannot be held are named, with the reason" \
	probe_is '(.unenforced | length) >= 1 and all(.unenforced[]; test(": "))' "$STATE" true
check "the time limit always holds" probe_is '.timed_out and .wall_us < 3000000' --timeout 500ms "$STATE" sh -c 'trap "" TERM; while :; do :; done'
no_network() { probe --network "$STATE" true 2>&1 | grep -q 'cannot have a network'; }
check "a network is refused, with the reason" no_network
script=$(cat tests/sandbox/escapes.py)
attempt() {
	probe "$STATE" env HOST_FILE="$TEST_DIR/probe" HOST_SOCKET=/run/none HOST_ABSTRACT=none HOST_PORT=1 python3 -c "$script" "$1"
	[ $? -eq 1 ]
}
for name in $(python3 tests/sandbox/escapes.py --list); do
	check "refused: $name" attempt "$name"
done
# With ids of its own for each slot, a script's files are not the user's, who could not remove them.
with_ids() {
	unshare --mount sh -c 'echo nobody:200000:65536 >"$1" && mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && exec "$@"' \
		- "$TEST_DIR/ids" "$@"
}
probe_with_ids() {
	with_ids setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups -- "$TEST_DIR/probe" "$TEST_DIR/user/other" \
		sh -c 'mkdir a && touch a/b' 3>"$TEST_DIR/result.json" </dev/null
	jq -e '.exit_code == 0' "$TEST_DIR/result.json"
}
if [ "$(id -u)" -eq 0 ] && [ "$(id -un "$USER_ID" 2>/dev/null)" = nobody ]; then
	check "a script runs where slots have ids of their own" probe_with_ids
	check "whose files are gone afterwards" setpriv --reuid="$USER_ID" --regid="$USER_ID" --clear-groups rm -r "$TEST_DIR/user/other"
else
	skip "ids of the slots' own" "only root can give them to somebody here"
fi
tap_end
