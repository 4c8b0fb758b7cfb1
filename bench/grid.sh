#!/usr/bin/env bash
# Measures a whole grid beside named peers in the same run: bench/grid.sh [latency|jobs|submit|memory|start]…
# Prints Markdown. Everything runs on loopback and in a temporary directory; nothing is left.
set -euo pipefail
cd "$(dirname "$0")/.."
RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
readonly RGRID_BUILD
RGRID=$RGRID_BUILD/rgrid
readonly JOBS=${BENCH_JOBS:-1000}
scratch=$(mktemp -d /tmp/rgrid-bench-XXXXXX)
chmod 755 "$scratch"
grid=

stop_grid() {
	[[ -z $grid ]] || { kill -INT "$grid" 2>/dev/null && wait "$grid"; } || true
	grid=
}
tear_down() {
	stop_grid
	rm -rf --one-file-system "$scratch"
}
trap tear_down EXIT
trap 'exit 130' INT TERM

start_grid() { # options of rgrid up
	stop_grid
	rm -rf "$scratch/grid" "$scratch/env"
	"$RGRID_BUILD/rgridd" up --data-dir "$scratch/grid" --listen 127.0.0.1:0 --env-file "$scratch/env" "$@" \
		>"$scratch/up.log" 2>&1 </dev/null &
	grid=$!
	until [[ -s $scratch/env ]]; do
		kill -0 "$grid" || { cat "$scratch/up.log" >&2; exit 1; }
		read -rt 0.05 <> <(:) || true
	done
	set -a
	# shellcheck disable=SC1091
	. "$scratch/env"
	set +a
}

seconds() { # command: wall time of it
	local begin
	begin=$(date +%s.%N)
	"$@" >"$scratch/out" 2>"$scratch/err" || { cat "$scratch/err" >&2; return 1; }
	echo "$(date +%s.%N) $begin" | awk '{printf "%.3f", $1 - $2}'
}
median3() { { "$@"; echo; "$@"; echo; "$@"; echo; } | sort -g | sed -n 2p; }

# Submit to start on an idle grid, by the database's clock: from the row's transaction to the moment
# before the sandbox starts. One job at a time, each after the one before has ended.
bench_latency() {
	start_grid --workers 1 --slots 2
	python3 bench/latency.py "${BENCH_ROUNDS:-200}"
}

# The configuration and root of a real sandbox, for crun alone.
bare_bundle() {
	local probe=$RGRID_BUILD/tests/sandbox/sandbox_probe init inner
	export RGRID_SANDBOX_INIT=$RGRID_BUILD/src/main/rgrid-sandbox-init
	"$probe" --timeout 60s "$scratch/probe" sleep 60 >/dev/null 2>&1 </dev/null 3>/dev/null &
	local outer=$!
	until init=$(pgrep -P "$outer") && inner=$(pgrep -P "$init") && pgrep -f '^/.rgrid-init sleep 60' >/dev/null; do
		kill -0 "$outer" || return 1
		read -rt 0.05 <> <(:) || true
	done
	cp -a "/proc/$inner/root/media/root" "$scratch/root"
	mkdir -p "$scratch/work"
	chmod 777 "$scratch/work"
	for slot in 0 1; do
		mkdir -p "$scratch/bundle-$slot"
		jq --arg root "$scratch/root" --arg work "$scratch/work" \
			'.root.path = $root | .process.args = ["/.rgrid-init", "true"]
			 | (.mounts[] | select(.destination == "/work")).source = $work' \
			"/proc/$inner/root/media/bundle-0/config.json" >"$scratch/bundle-$slot/config.json"
	done
	kill "$outer"
	wait "$outer" 2>/dev/null || true
}
bare_crun() { # two at a time, as many as $JOBS, in the worker's kind of mount namespace
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount --propagation private sh -c '
		if [ -d /sys/fs/cgroup/unified ]; then mount -t tmpfs none /sys/fs/cgroup/unified; fi
		seq "$1" | xargs -P 2 -I N crun --root "$2/crun" --cgroup-manager=disabled run -b "$2/bundle-0" job-N' \
		sh "$JOBS" "$scratch" </dev/null
}
bare_processes() { seq "$JOBS" | parallel -j 2 -n 1 true; }
on_the_grid() {
	seq "$JOBS" >"$scratch/lines"
	echo 'exit 0' >"$scratch/nothing.sh"
	(cd "$scratch" && "$RGRID" run --each-line lines --output-dir "$scratch/none" nothing.sh)
}
bench_jobs() {
	start_grid --workers 1 --slots 2
	bare_bundle
	local ours crun bare
	bare=$(median3 seconds bare_processes)
	crun=$(median3 seconds bare_crun)
	ours=$(median3 seconds on_the_grid)
	echo "| $JOBS trivial jobs, two at a time | seconds | against bare crun |"
	echo "|---|---|---|"
	echo "| GNU parallel, bare processes | $bare | $(ratio "$bare" "$crun") |"
	echo "| crun alone, same configuration, by xargs | $crun | 1.00 |"
	echo "| rgrid: submitted, queued, sandboxed, logged, recorded, fetched | $ours | $(ratio "$ours" "$crun") |"
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }

bench_submit() {
	start_grid --workers 1 --slots 1
	"$RGRID" worker list >/dev/null
	python3 bench/submissions.py
}

rss() { # pattern: resident KiB of the grid's processes whose command line has it
	local pid total=0 kib
	for pid in $(pgrep -f -- "$1"); do
		[[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *"$scratch"* || $(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null) == *"$scratch"* ]] || continue
		kib=$(awk '/^VmRSS/ {print $2}' "/proc/$pid/status")
		total=$((total > kib ? total : kib))
	done
	echo "$total"
}
bench_memory() {
	start_grid --workers 1 --slots 2
	"$RGRID" list >/dev/null
	local row name pattern idle=()
	for row in 'api:rgridd api' 'orchestrator:rgridd orchestrator' 'worker:rgrid-worker'; do
		idle+=("$(rss "${row#*:}")")
	done
	python3 bench/queue_up.py 10000
	echo "| resident memory, KiB | idle | with 10,000 jobs queued |"
	echo "|---|---|---|"
	local i=0
	for row in 'api:rgridd api' 'orchestrator:rgridd orchestrator' 'worker:rgrid-worker'; do
		name=${row%%:*} pattern=${row#*:}
		echo "| $name | ${idle[i]} | $(rss "$pattern") |"
		i=$((i + 1))
	done
}

bench_start() {
	start_grid --workers 1 --slots 1
	echo "| start to end, ms | median of 100 |"
	echo "|---|---|"
	echo "| /bin/true | $(python3 bench/startup.py /bin/true) |"
	echo "| curl --version | $(python3 bench/startup.py curl --version) |"
	echo "| rgrid --version | $(python3 bench/startup.py "$RGRID" --version) |"
	echo "| rgrid list (one request) | $(python3 bench/startup.py "$RGRID" list) |"
}

(($# > 0)) || set -- latency jobs submit memory start
for what in "$@"; do
	printf '\n### %s\n\n' "$what"
	"bench_$what"
done
