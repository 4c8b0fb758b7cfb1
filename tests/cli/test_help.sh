#!/usr/bin/env bash
# What rgrid says about itself, with no server anywhere.
# shellcheck disable=SC2016 # $1 is for the inner shells
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/cli/program.sh
tap_begin
export HOME=$TEST_DIR
unset RGRID_URL RGRID_TOKEN XDG_CONFIG_HOME
cd "$TEST_DIR" || exit 1

says() { # pattern exit-code arguments…
	local pattern=$1 expected=$2 code=0
	shift 2
	"$RGRID" "$@" >said 2>&1 </dev/null || code=$?
	cat said
	[ "$code" -eq "$expected" ] && grep -qE -- "$pattern" said
}

check "help lists the verbs" says '^  run +Run a script' 0 help
check "a bare rgrid lists them too, as a usage error" says '^  run +Run a script' 2
check "--help" says '^  run +Run a script' 0 --help
check "help VERB explains one" says '--max-fails N' 0 help run
check "VERB -h" says '--max-fails N' 0 run -h
check "help of two words" says 'Usage: rgrid batch list' 0 help batch list
check "help of a topic" says '124 the time limit' 0 help exit-codes
check "help of a verb of rgridd" says 'served by rgridd' 0 help config
check "a mistyped verb" says 'did you mean "rgrid status"' 2 statsu
check "a mistyped verb in help" says 'did you mean "rgrid help status"' 2 help statsu
check "a mistyped option" says 'did you mean' 2 list --stat failed
check "a mistyped state" says 'did you mean "failed"' 2 list --state faild
check "a script instead of a verb" sh -c 'touch x.py; "$1" x.py 2>&1 | grep -q "rgrid run x.py"' sh "$RGRID"
check "batch alone" says 'status, list, cancel' 2 batch
check "too few arguments" says 'usage: rgrid logs' 2 logs
check "too many arguments" says 'one too many' 2 logs a b
check "options of batches need a batch" says 'add --batch' 2 run --parallel 2 x.py
check "a value out of range" says 'parallel' 2 run --parallel 0 --batch '*' x.py
check "no server is known" says 'rgrid init' 4 status
check "a verb of rgridd without rgridd" sh -c 'cp "$1" ./rgrid && ./rgrid config; [ $? -eq 5 ]' sh "$RGRID"
handed() {
	mkdir -p beside
	cp "$RGRID" beside/rgrid
	printf '#!/bin/sh\necho "$@"\n' >beside/rgridd
	chmod +x beside/rgridd
	ln -sf beside/rgrid linked
	[ "$(./linked key create --name x)" = "key create --name x" ] && [ "$(./linked db status)" = "db status" ]
}
check "a verb of rgridd is handed to the one beside, also through a link" handed
check "--version" says '^rgrid [0-9]' 0 --version
check "version --json is JSON" sh -c '"$1" version --json | python3 -m json.tool' sh "$RGRID"
check "a full disk is reported" sh -c '"$1" help >/dev/full; [ $? -eq 6 ]' sh "$RGRID"
reader_leaves() {
	local codes
	"$RGRID" help 2>said | true
	codes=${PIPESTATUS[0]}
	{ [ "$codes" -eq 141 ] || [ "$codes" -eq 0 ]; } && [ ! -s said ]
}
check "a reader that leaves ends it quietly" reader_leaves
check "the completion is bash" sh -c '"$1" completion bash >c.bash && bash -n c.bash' sh "$RGRID"
completes() { # expected words…
	local expected=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	bash -c '. ./c.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rgrid; echo " ${COMPREPLY[*]} "' bash "$@" | grep -qF -- " $expected "
}
check "completion of verbs" completes status rgrid sta
check "completion of options" completes --max-fails rgrid run --max
check "completion of values" completes 'public' rgrid run --network p
check "completion of second words" completes 'cancel' rgrid batch c
check "completion of runtimes" completes 'python' rgrid run --runtime py
check "the manual page has no errors" sh -c '"$1" man >rgrid.1 && [ -z "$(man --warnings -l rgrid.1 2>&1 >/dev/null)" ]' sh "$RGRID"
check "the manual page names all verbs" sh -c '"$1" man | man -l - | grep -q "rgrid batch list"' sh "$RGRID"
second_words() { "$RGRID" network "$@" 2>&1; }
check_exit 2 "half an operator's verb is refused" second_words
check "… with what can follow" sh -c '"$1" network 2>&1 | grep -q "needs one of: setup, status, rollback"' sh "$RGRID"
check_output "its help lists them" "network setup,network status,network rollback," \
	sh -c '"$1" network -h | sed "s/^  \(network [a-z]*\).*/\1/" | tr "\n" ,' sh "$RGRID"
check "NO_COLOR and pipes carry no colour" sh -c '! "$1" help | grep -q "$(printf "\033")"' sh "$RGRID"
check "CLICOLOR_FORCE does" sh -c 'CLICOLOR_FORCE=1 "$1" help | grep -q "$(printf "\033")"' sh "$RGRID"
check "NO_COLOR goes before CLICOLOR_FORCE" sh -c '! NO_COLOR=1 CLICOLOR_FORCE=1 "$1" help | grep -q "$(printf "\033")"' sh "$RGRID"
tap_end
