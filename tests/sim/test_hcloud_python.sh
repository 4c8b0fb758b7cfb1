#!/usr/bin/env bash
# python3-hcloud, the official library, judges the simulator: hcloud_python.py drives it and prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
tap_begin
# What the library is refused while an action runs has to find it running.
slow=ms=1500
sim_start --listen 127.0.0.1:0 --token T --fault "action:command=add_subnet,$slow" \
	--fault "action:command=create_server,server=alpha,$slow" --fault "action:command=stop_server,server=alpha,$slow" || {
	echo "Bail out! no simulator"
	exit 1
}
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/sim/hcloud_python.py
