# shellcheck shell=bash
# The official hcloud command for shell tests. Source it after sim.sh, then:
#
#   h ARGUMENTS                          hcloud
#   refused CODE 'what' ARGUMENTS        passes if hcloud is refused with that code
#   says 'what' PATTERN command          passes if the command succeeds and prints what matches
#   show RESOURCE NAME FILTER            one resource, through jq
#   names RESOURCE [arguments of list]   the names that are listed, in one line
#   status_is SERVER STATUS

export HCLOUD_CONFIG=/nonexistent

# It looks at actions every half second, whatever --poll-interval says.
h() { hcloud "$@"; }
refused() { # code, what, arguments of hcloud
	local code=$1 what=$2 output
	shift 2
	if output=$(h "$@" 2>&1) || [[ $output != *"($code)" ]]; then
		printf 'expected to be refused as %s, but:\n%s\n' "$code" "$output" >"$TEST_DIR/.output"
		tap_result 1 "$what"
	else
		tap_result 0 "$what"
	fi
}
says() { # what, extended regular expression, command
	local what=$1 pattern=$2 output code=0
	shift 2
	output=$("$@" 2>&1) || code=$?
	if [ "$code" -eq 0 ] && [[ $output =~ $pattern ]]; then
		tap_result 0 "$what"
	else
		printf 'exit code %s, expected /%s/:\n%s\n' "$code" "$pattern" "$output" >"$TEST_DIR/.output"
		tap_result 1 "$what"
	fi
}
show() { # resource, name, jq filter
	h "$1" describe "$2" -o json | jq -rc "$3"
}
names() { # resource, further arguments of list
	local resource=$1
	shift
	h "$resource" list -o noheader -o columns=name "$@" | tr -d ' ' | paste -sd' '
}
status_is() { [ "$(show server "$1" .status)" = "$2" ]; }
