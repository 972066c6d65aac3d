# Part of Tools/sqlite-suite: testfixture's tests, natively and with Sluice.
#
# testfixture runs as an unprivileged user, because SQLite's tests of permissions fail as root. That user
# may reach only $work, a temporary folder with copies of everything that the tests need.

# A run fails if its log does not grow for this time. Natively no test takes 10 s.
silence_seconds_max=${SUITE_SILENCE_SECONDS:-180}

as_tester() {
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups "$@"
  else
    "$@"
  fi
}

# Makes an empty folder $1 for the tester.
tester_folder() {
  rm -rf "$1"
  mkdir -p "$1"
  [ "$(id -u)" -ne 0 ] || chown nobody "$1"
}

# Copies the files that the tests need to $work: bin/ and sqlite/, with test and ext.
prepare_tests() {
  [ ! -d "$work/sqlite" ] || return 0
  mkdir -p "$work/sqlite" "$work/bin"
  cp -R "$source/test" "$source/ext" "$work/sqlite/"
  cp "$cache/bin/testfixture" "$work/bin/testfixture-sqlite"
  cp "$suite/testfixture" "$suite/preamble.tcl" "$work/bin/"
  quietly cc -O2 -g -fPIC -shared -I"$source/src" -I/usr/include \
    -o "$work/bin/os-variables.so" "$suite/os-variables.c"
  [ "$native_only" ] || install_sluice
  chmod -R a+rX "$work"
}

# Copies the product to $work/bin.
install_sluice() {
  [ -x "$build/bin/sluice" ] && [ -f "$build/lib/libsluice.so" ] ||
    fail "no bin/sluice and lib/libsluice.so in $build: run Tools/build"
  mkdir -p "$work/bin"
  cp "$build/bin/sluice" "$build/lib/libsluice.so" "$work/bin/"
  chmod -R a+rX "$work"
}

# Runs the program $2 (testfixture or testfixture-sqlite) on the files named by $3 (empty: all), with its
# output in $1. If the output does not grow any more, kills the program and returns false.
run_testfixture() {
  output=$1
  folder=$work/run
  tester_folder "$folder"
  : >"$output"
  set -- "$2" "$3"
  (
    cd "$folder"
    SUITE_BIN=$work/bin HOME=$folder TMPDIR=$folder
    SUITE_SKIPPED=$(sed -n 's/^\([^ #*?]*\.test\) .*/\1/p' "$suite/not-applicable.txt" | tr '\n' ' ')
    export SUITE_BIN HOME TMPDIR SUITE_SKIPPED
    [ -z "$2" ] || export SQLITE_TEST_PATTERN_LIST="$2"
    as_tester setsid "$work/bin/$1" "$work/sqlite/test/veryquick.test" >"$output" 2>&1 </dev/null &
    echo $! >"$work/pid"
    wait $!
  ) &
  waiter=$!
  size=0
  silence_seconds=0
  while kill -0 "$waiter" 2>/dev/null; do
    sleep 0.2
    tick=$((${tick:-0} + 1))
    [ $((tick % 5)) -eq 0 ] || continue
    now=$(stat -c %s "$output")
    if [ "$now" -ne "$size" ]; then
      size=$now
      silence_seconds=0
    else
      silence_seconds=$((silence_seconds + 1))
    fi
    [ "$silence_seconds" -lt "$silence_seconds_max" ] && continue
    echo "  nothing happened for $silence_seconds_max s after: $(tail -n 1 "$output")"
    kill -KILL "-$(cat "$work/pid")"
    wait "$waiter" || true
    return 1
  done
  wait "$waiter" || true
}

# One line about the log $1: the number of tests, failures and seconds of files.
summary() {
  line=$(grep -a ' errors out of ' "$1") || line="ended early: $(grep -av '^ ' "$1" | tail -n 1)"
  echo "${line%% on *}"
}

native_log=$cache/native.log

# Makes the native run, once. With an argument, makes it again.
run_native() {
  [ -z "${1:-}" ] && [ -f "$native_log" ] && return
  prepare_tests
  run_testfixture "$work/native.log" testfixture-sqlite ""
  echo "natively: $(summary "$work/native.log")"
  cp "$work/native.log" "$native_log"
}

veryquick() {
  if [ "$native_only" ]; then
    run_native again
    return
  fi
  prepare_tests
  run_native
  run=0
  while [ $((run += 1)) -le "$runs" ]; do
    began=$(date +%s)
    log=$work/veryquick.log
    run_testfixture "$log" testfixture "" || failed=1
    echo "veryquick $run of $runs: $(summary "$log"), $(($(date +%s) - began)) s"
    tclsh "$suite/compare.tcl" "$native_log" "$log" "$suite/not-applicable.txt" || failed=1
    cp "$log" "$cache/veryquick.log"
  done
}

# Runs each of the files alone, so that a file that hangs or ends the program hides no other.
files() {
  prepare_tests
  run_native
  [ $# -gt 0 ] || set -- $(sed -n 's/^Time: \([^ ]*\) .*/\1/p' "$native_log" | sort -u)
  program=testfixture
  [ -z "$native_only" ] || program=testfixture-sqlite
  # One log of all files, for compare.tcl.
  : >"$work/files.log"
  for file in "$@"; do
    run_testfixture "$work/file.log" $program "$file" || failed=1
    { echo "== $file"; cat "$work/file.log"; } >>"$work/files.log"
    [ $# -gt 20 ] || echo "$file: $(summary "$work/file.log")"
  done
  tclsh "$suite/compare.tcl" "$native_log" "$work/files.log" "$suite/not-applicable.txt" "$@" ||
    failed=1
  cp "$work/files.log" "$cache/files.log"
  echo "  the log: $cache/files.log"
}
