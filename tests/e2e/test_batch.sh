#!/usr/bin/env bash
# `rgrid run --batch` on a real grid: fan-out, the parallel cap, failures, retry inside the batch.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/grid.sh
tap_begin
grid_start --workers 2 --slots 3

work=$TEST_DIR/work
mkdir -p "$work/data/deep" "$work/marks"
cd "$work" || exit 1
for i in 1 2 3 4 5 6; do echo "$i" >"data/$i.csv"; done
echo 7 >data/deep/7.csv
cat >double.py <<'PY'
import sys
n = int(open(sys.argv[-1]).read())
print("doubling", n)
if n == 3 and "--fail" in sys.argv:
    sys.exit("three is refused")
open("double.txt", "w").write(f"{2 * n}\n")
PY

all_doubled() {
	"$RGRID" run --batch 'data/*.csv' --parallel 4 double.py 2>batch.err || { cat batch.err; return 1; }
	local i
	for i in 1 2 3 4 5 6; do
		[ "$(cat "outputs/data/$i.csv/double.txt")" = $((2 * i)) ] || { find outputs; return 1; }
	done
}
check "a batch runs every file, outputs under outputs/<input>/" all_doubled
check "** reaches into directories" sh -c '"$1" run --batch "data/**/*.csv" --output-dir deep double.py && [ "$(cat deep/data/deep/7.csv/double.txt)" = 14 ]' sh "$RGRID"
check_exit 2 "a glob that matches nothing is a usage error" "$RGRID" run --batch 'data/*.none' double.py

one_fails() {
	"$RGRID" run --batch 'data/*.csv' --output-dir failing double.py --fail '{}' >fail.out 2>fail.err
	[ $? -eq 1 ] && grep -q '3.csv' fail.err && [ "$(cat failing/data/4.csv/double.txt)" = 8 ] && [ ! -e failing/data/3.csv/double.txt ]
}
check "one failure: exit 1, named as it happens, the others succeed" one_fails
retried_inside() {
	local batch attempts
	batch=$("$RGRID" batch list --json | jq -r '.items[0].id')
	"$RGRID" retry --batch "$batch" --failed || return 1
	wait_until 60 batch_ended "$batch" || return 1
	attempts=$("$RGRID" list --batch "$batch" --json | jq -c '[.items[].attempt] | sort')
	[ "$attempts" = "[1,1,1,1,1,2]" ] || { echo "$attempts"; return 1; }
	[ "$("$RGRID" batch status "$batch" --json | jq -c '[.counts.total, .counts.completed, .counts.failed]')" = "[6,5,1]" ]
}
batch_ended() { [ "$("$RGRID" batch status "$1" --json | jq -r .state)" != running ]; }
check "retry --batch --failed makes new attempts of the same jobs" retried_inside

lines() {
	printf 'alpha\nbeta gamma\n\n' >lines.txt
	printf 'import sys\nopen("line.txt", "w").write(repr(sys.argv[1:]))\n' >line.py
	"$RGRID" run --each-line lines.txt --output-dir by-line line.py x || return 1
	grep -rqF "['x', 'beta gamma']" by-line
}
check "--each-line runs one job a line" lines

# Each job notes when it ran, on the clock of this machine; the overlap is counted afterwards.
cap_holds() {
	cat >overlap.py <<'PY'
import time
a = time.clock_gettime(time.CLOCK_BOOTTIME)
time.sleep(0.25)
print(a, time.clock_gettime(time.CLOCK_BOOTTIME))
PY
	seq 1 14 >many.txt
	"$RGRID" run --each-line many.txt --parallel 2 --output-dir capped overlap.py || return 1
	local id
	for id in $("$RGRID" list --batch last --json | jq -r '.items[].id'); do "$RGRID" logs "$id" --stream stdout; done |
		awk '{print $1, 1; print $2, -1}' | sort -g | awk '{n += $2; if (n > most) most = n} END {exit !(NR == 28 && most == 2)}'
}
check "--parallel 2 never lets three run at once, and lets two" cap_holds

fails_stop() {
	seq 1 40 >forty.txt
	echo 'import sys, time; time.sleep(0.3); sys.exit(5)' >always.py
	"$RGRID" run --each-line forty.txt --parallel 2 --max-fails 3 always.py >/dev/null 2>&1
	[ $? -eq 1 ] || return 1
	"$RGRID" batch status last --json | jq -e '.counts.cancelled > 20 and .counts.failed >= 3 and (.counts.failed + .counts.cancelled == 40)'
}
check "--max-fails cancels the rest" fails_stop
cancel_whole() {
	seq 1 20 >twenty.txt
	echo 'import time; time.sleep(30)' >long.py
	"$RGRID" run --detach --each-line twenty.txt --parallel 5 long.py || return 1
	"$RGRID" batch cancel last && wait_until 60 batch_ended last &&
		[ "$("$RGRID" batch status last --json | jq .counts.cancelled)" = 20 ]
}
check "batch cancel ends all of it" cancel_whole
flat() {
	printf 'import sys\nopen(sys.argv[1] + ".out", "w").write("x")\n' >name.py
	seq 1 3 >three.txt
	"$RGRID" run --each-line three.txt --output-dir flat --flat name.py && [ -f flat/1.out ] && [ -f flat/3.out ]
}
check "--flat drops the input's directory" flat

grid_stop
tap_end
