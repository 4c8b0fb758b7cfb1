#!/usr/bin/env bash
# `rgrid run` on a real grid, as a user types it: arguments, files, streams, exit codes, limits.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/grid.sh
tap_begin
grid_start --workers 1 --slots 2

work=$TEST_DIR/work
mkdir -p "$work/a" "$work/b" "$work/tree/deep"
cd "$work" || exit 1
echo "from a" >a/x.csv
echo "from b" >b/x.csv
echo leaf >tree/deep/leaf.txt

cat >show.py <<'PY'
import sys
print(sys.argv[1:])
PY
check_output "arguments arrive verbatim" "['--epochs', '5', 'a b', '', '*', '--', '-x', 'http://e/x.csv']" \
	"$RGRID" run show.py --epochs 5 'a b' '' '*' -- -x http://e/x.csv

cat >cat.py <<'PY'
import sys
for name in sys.argv[1:]:
    print(open(name.removeprefix("--in=")).read(), end="")
PY
check_output "two files of one name in different directories travel together" $'from a\nfrom b' "$RGRID" run cat.py a/x.csv b/x.csv
check_output "a file inside --in=FILE travels along" "from a" "$RGRID" run cat.py --in=a/x.csv
check_output "a directory travels by --file" "leaf" "$RGRID" run --file tree cat.py tree/deep/leaf.txt

printf 'import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n' >echo.py
stdin_is_exact() {
	head -c 300000 /dev/urandom >stdin.bin
	"$RGRID" run echo.py <stdin.bin >stdout.bin && cmp stdin.bin stdout.bin
}
check "stdin travels, and stdout is byte-exact" stdin_is_exact

printf 'import sys\nsys.stdout.write("to stdout\\n"); sys.stderr.write("to stderr\\n")\n' >streams.py
streams_are_apart() {
	"$RGRID" run streams.py >out.txt 2>err.txt &&
		[ "$(cat out.txt)" = "to stdout" ] && grep -qx "to stderr" err.txt
}
check "stdout and stderr stay apart" streams_are_apart

cat >write.py <<'PY'
import os
os.makedirs("results/deep", exist_ok=True)
open("results/deep/answer.txt", "w").write("42\n")
open("top.bin", "wb").write(bytes(range(256)))
os.chmod("top.bin", 0o755)
PY
outputs_come_home() {
	rm -rf results top.bin
	"$RGRID" run write.py && [ "$(cat results/deep/answer.txt)" = 42 ] && [ "$(wc -c <top.bin)" -eq 256 ] && [ -x top.bin ]
}
check "output files land where the script would have written them" outputs_come_home
outputs_elsewhere() {
	rm -rf elsewhere
	"$RGRID" run --output-dir elsewhere write.py && [ "$(cat elsewhere/results/deep/answer.txt)" = 42 ]
}
check "--output-dir puts them elsewhere" outputs_elsewhere
unchanged_inputs_stay() {
	local before
	before=$(stat -c '%Y %i' a/x.csv)
	"$RGRID" run cat.py a/x.csv >/dev/null && [ "$(stat -c '%Y %i' a/x.csv)" = "$before" ]
}
check "inputs that the script did not change are not brought back" unchanged_inputs_stay

echo 'import sys; sys.exit(int(sys.argv[1]))' >exit.py
for code in 0 1 3 77 255; do
	check_exit $code "exit code $code is passed through" "$RGRID" run exit.py $code
done
printf 'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n' >crash.py
check_exit 139 "a signal is 128+n" "$RGRID" run crash.py
echo 'while True: pass' >spin.py
check_exit 124 "the time limit is 124" "$RGRID" run --timeout 1s spin.py
printf 'x = [bytearray(1 << 20) for _ in range(400)]\n' >bomb.py
if "$RGRID" logs last 2>&1 | grep -q 'cannot hold a limit: memory'; then
	skip "the memory limit is 137" "this user cannot hold memory limits here"
else
	check_exit 137 "the memory limit is 137" "$RGRID" run --memory 64M bomb.py
fi
printf 'def broken(:\n' >syntax.py
check_exit 1 "a script that cannot be parsed ends with the interpreter's code" "$RGRID" run syntax.py
check_exit 2 "a script that is not there is a usage error" "$RGRID" run nowhere.py
check_exit 2 "an unknown runtime is a usage error" "$RGRID" run --runtime pyhton show.py
check "  which suggests the right one" sh -c '"$1" run --runtime pyhton show.py 2>&1 | grep -q python' sh "$RGRID"

printf 'console.log(process.argv.slice(2).join("+"))\n' >node.js
check_output "node by extension" "a+b" "$RGRID" run node.js a b
# shellcheck disable=SC2016 # for the script
printf 'echo "$0 $# $1"\n' >bash.sh
check_output "bash by extension" "bash.sh 1 z" sh -c '"$1" run bash.sh z | sed "s,.*/,,"' sh "$RGRID"
printf '#!/usr/bin/env python3\nprint("by shebang")\n' >tool
check_output "python by shebang" "by shebang" "$RGRID" run tool

export FROM_HERE=carried
printf 'import os\nprint(os.environ.get("FROM_HERE"), os.environ.get("SET"), os.environ.get("RGRID_ATTEMPT"), "RGRID_TOKEN" in os.environ)\n' >env.py
check_output "--env K=V and --env K" "carried a=b 1 False" "$RGRID" run --env FROM_HERE --env SET=a=b env.py

printf 'import os, sys\nn = int(os.environ["RGRID_ATTEMPT"])\nprint("attempt", n)\nsys.exit(0 if n == 3 else 9)\n' >flaky.py
check_exit 0 "--retries runs a failing script again" "$RGRID" run --retries 3 flaky.py
check_exit 9 "without --retries a failure is final" "$RGRID" run flaky.py

live() {
	printf 'import time\nprint("now", flush=True)\ntime.sleep(600)\n' >live.py
	"$RGRID" run live.py >live.out &
	local client=$!
	wait_until 30 grep -q now live.out && [ "$("$RGRID" status last --json | jq -r .state)" = running ]
	local seen=$?
	"$RGRID" cancel last
	wait "$client"
	return "$seen"
}
check "output is seen while the script runs" live

interrupt_detaches() {
	printf 'import time\nfor i in range(80):\n    print(i, flush=True); time.sleep(0.1)\n' >slow.py
	"$RGRID" run slow.py >slow.out 2>slow.err &
	local client=$!
	wait_until 60 grep -q '^2$' slow.out || return 1
	kill -INT "$client"
	wait "$client"
	[ $? -eq 130 ] && grep -q 'rgrid attach' slow.err && [ "$("$RGRID" attach last | tail -n 1)" = 79 ]
}
check "Ctrl-C detaches with 130 and says how to reattach" interrupt_detaches
interrupt_cancels() {
	"$RGRID" run --cancel-on-interrupt spin.py >/dev/null 2>&1 &
	local client=$!
	wait_until 60 job_is running || return 1
	kill -INT "$client"
	wait "$client"
	[ $? -eq 130 ] && wait_until 60 job_is cancelled
}
job_is() { [ "$("$RGRID" status last --json | jq -r .state)" = "$1" ]; }
check "--cancel-on-interrupt cancels" interrupt_cancels

detach_and_ids() {
	local id
	id=$("$RGRID" run --detach --name named --label team=blue show.py one | grep -o 'job_[0-9a-z]*' | head -n 1)
	[ -n "$id" ] || return 1
	"$RGRID" attach "$id" && "$RGRID" logs last | grep -qxF "['one']" &&
		[ "$("$RGRID" list --label team=blue --json | jq -r '.items[0].id')" = "$id" ]
}
check "--detach prints the id; last, --name and --label find it" detach_and_ids
check_exit 5 "an id that is not there is 5" "$RGRID" status job_zzzzzzzzzzzzz
check_exit 4 "a wrong token is 4" env RGRID_TOKEN=rgk_wrong "$RGRID" list
check_exit 7 "a server that is not there is 7" env RGRID_URL=http://127.0.0.1:1 "$RGRID" list

hundred_megabytes() {
	printf 'import sys\nb = bytes(range(256)) * 4096\nfor i in range(100): sys.stdout.buffer.write(b)\n' >loud.py
	"$RGRID" run loud.py | sha256sum >loud.sum
	python3 loud.py | sha256sum | cmp - loud.sum
}
check "100 MB of output come through byte for byte" hundred_megabytes

bad_outputs() {
	printf 'import os\nos.symlink("/etc/passwd", "link")\nos.mkfifo("pipe")\nopen("good", "w").write("g")\n' >bad.py
	rm -f link pipe good
	"$RGRID" run bad.py && [ -f good ] && [ ! -e link ] && [ ! -e pipe ] &&
		"$RGRID" logs last --stream system | grep -q link && "$RGRID" logs last --stream system | grep -q pipe
}
check "symlinks and pipes among the outputs are refused in the job's log" bad_outputs

grid_stop
tap_end
