#!/usr/bin/env bash
# The fleet's rules beside simple ones: docs/benchmarks.md has what the bench says today. It is pure, so the
# figures are the same everywhere; those of the two small fleets are made again.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
tap_begin
"${RGRID_BUILD:-build}/bench/fleet/policy_bench" 100 >"$TEST_DIR/table"
check_output "the bench has run" "0 12" echo "$? $(wc -l <"$TEST_DIR/table")"
missing() { grep -vxFf docs/benchmarks.md "$TEST_DIR/table"; }
check_exit 1 "docs/benchmarks.md has each of its rows" missing
tap_end
