#!/bin/bash
# What `make install` puts where: every program that a unit starts is at the place that the unit names.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin
build=${RGRID_BUILD:-build}
root=$TEST_DIR/root
check "it installs" env DESTDIR="$root" meson install -C "$build" --no-rebuild --quiet
prefix=$(meson introspect --buildoptions "$build" | jq -r '.[] | select(.name == "prefix").value')
for unit in rgrid-api rgrid-api-workers rgrid-orchestrator rgrid-public-workers; do
	file=$root$prefix/lib/systemd/system/$unit.service
	check "$unit.service starts what is installed" test -f "$root$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$file")"
done
tap_end
