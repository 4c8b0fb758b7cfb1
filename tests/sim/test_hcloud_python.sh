#!/usr/bin/env bash
# python3-hcloud, the official library, judges the simulator: hcloud_python.py drives it and prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
tap_begin
sim_start --listen 127.0.0.1:0 --token T || {
	echo "Bail out! no simulator"
	exit 1
}
/usr/bin/python3 tests/sim/hcloud_python.py
