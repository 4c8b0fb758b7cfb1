#!/bin/bash
# Sums up one web server log (see make-logs.py for its form) by path and by hour. Writes
# NAME.summary.tsv into the current directory: kind, key, requests, errors, bytes, and the median,
# 95th and 99th percentile of the milliseconds.
#
# usage: analyse.sh LOG
set -euo pipefail

if (($# != 1)); then
	echo "usage: analyse.sh LOG" >&2
	exit 2
fi
log=$1
name=$(basename "$log" .log)

# Sorted by duration first, so that awk meets each group's durations in order and can pick percentiles
# by counting.
summary=$(sort -k7,7n -- "$log" | awk -v log_name="$name.log" '
	NF != 7 {
		printf "%s: line with %d fields instead of 7: %s\n", log_name, NF, $0 > "/dev/stderr"
		bad = 1
		exit 3
	}
	function add(group) {
		requests[group]++
		errors[group] += $5 >= 500
		bytes[group] += $6
		ms[group, requests[group]] = $7
	}
	function percentile(group, percent,    index_) {
		index_ = int(requests[group] * percent / 100)
		return ms[group, index_ < 1 ? 1 : index_]
	}
	{
		add("all\t-")
		add("path\t" $4)
		add("hour\t" substr($1, 12, 2))
	}
	END {
		if (bad)
			exit 3
		for (group in requests)
			printf "%s\t%d\t%d\t%.0f\t%d\t%d\t%d\n", group, requests[group], errors[group], bytes[group],
				percentile(group, 50), percentile(group, 95), percentile(group, 99)
	}
' | LC_ALL=C sort)
printf '%s\n' "$summary" > "$name.summary.tsv"

# The first line is the whole log.
IFS=$'\t' read -r _ _ requests errors _ median p95 _ <<< "$summary"
echo "$name: $requests requests, $errors server errors, median $median ms, 95 % within $p95 ms"
