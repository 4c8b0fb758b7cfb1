#!/usr/bin/env bash
# The worker bundle: the same bytes for the same programs, and enough for a machine that has none of them.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/machines.sh
tap_begin
RGRIDD=$(realpath "${RGRID_BUILD:-build}/src/main/rgridd")
[ "$(id -u)" -eq 0 ] || PATH=$PATH:/usr/sbin

make_bundle() { "$RGRIDD" bundle make --json --blob-dir "$TEST_DIR/$1" "${@:2}"; }
digest_of() { sed -n 's/.*"sha256": "\([0-9a-f]*\)".*/\1/p'; }
blob() { echo "$TEST_DIR/$1/objects/${digest:0:2}/${digest:2}"; }
with_path() { # directories of PATH
	PATH=$1 "$RGRIDD" bundle make --blob-dir "$TEST_DIR/third"
}

blob() { echo "$TEST_DIR/$1/objects/${digest:0:2}/${digest:2}"; }
has_digest() { echo "$digest  $(blob "$1")" | sha256sum -c --status; }
names() { find "$1" -mindepth 1 -printf '%f\n' | sort | paste -sd ' '; }
members() { tar --full-time --numeric-owner -tvzf "$1" | awk '{ print $2, $4 }' | sort -u; }
with_path() {
	env PATH="$TEST_DIR/path" "$RGRIDD" bundle make --blob-dir "$TEST_DIR/third" >"$TEST_DIR/said" 2>&1
}

digest=$(make_bundle one | digest_of)
check "a bundle is named by its SHA-256" has_digest one
check_output "a second one has the same name" "$digest" digest_of < <(make_bundle two)
mkdir "$TEST_DIR/unpacked"
check "it can be unpacked" tar -xzf "$(blob one)" -C "$TEST_DIR/unpacked"
check_output "it has the programs" "crun nft rgrid-sandbox-init rgrid-worker" names "$TEST_DIR/unpacked/bin"
check_exit 1 "… and not the C library, which is the machine's" test -e "$TEST_DIR/unpacked/lib/libc.so.6"
check_output "nothing tells who made it, and when" "0/0 1970-01-01" members "$(blob one)"

mkdir "$TEST_DIR/path"
for program in ldd tar gzip install bash sh patchelf; do ln -s "$(command -v "$program")" "$TEST_DIR/path/"; done
check_exit 5 "without crun there is none" with_path
check "… which is said, with what to do" grep -q 'apt-get install crun' "$TEST_DIR/said"
rm "$TEST_DIR/path/patchelf"
check_exit 5 "nor without patchelf" with_path
check "… which is said as well" grep -q 'apt-get install patchelf' "$TEST_DIR/said"
check_exit 1 "and nothing is stored" test -e "$TEST_DIR/third/objects"

without_rights() {
	mkdir -m 700 "$TEST_DIR/closed" && cp -r "$(dirname "$RGRIDD")" "$TEST_DIR/programs" && chmod -R a+rX "$TEST_DIR/programs"
	setpriv --reuid=65534 --regid=65534 --clear-groups --reset-env "$TEST_DIR/programs/rgridd" bundle make \
		--blob-dir "$TEST_DIR/closed/blobs" >"$TEST_DIR/said" 2>&1
}
said_how() { grep -q "run it as root" "$TEST_DIR/said" || { cat "$TEST_DIR/said"; return 1; }; }
if [ "$(id -u)" -eq 0 ]; then
	check_exit 4 "who may not write there is refused" without_rights
	check "… and told who may" said_how
else
	skip "rights" "only root can be somebody else"
fi

machines_needed_here() { [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; }
if machines_needed_here; then
	root=$(machines_root) || exit 1
	# A machine as the provider makes it, with the bundle unpacked.
	inside() {
		unshare --mount --pid --fork --mount-proc -- bash -c '
			mkdir -p "$2/over" && mount -t tmpfs tmpfs "$2/over" && mkdir "$2/over/"{up,work,root} &&
			mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/over/up,workdir=$2/over/work" "$2/over/root" &&
			mkdir "$2/over/root/opt/rgrid" && cp -r "$2/unpacked" "$2/over/root/opt/rgrid/current" && mount -t proc proc "$2/over/root/proc" &&
			exec chroot "$2/over/root" env -i "${@:3}"' - "$root" "$TEST_DIR" "$@"
	}
	check_exit 127 "a new machine has no crun" inside /bin/sh -c 'crun --version'
	check "the bundle's works there" inside /opt/rgrid/current/bin/crun --version
	check "… and nft" inside /opt/rgrid/current/bin/nft --version
	check "… and the worker" inside /opt/rgrid/current/bin/rgrid-worker --help
else
	echo "# not on a bare machine: only root can make one"
fi
tap_end
