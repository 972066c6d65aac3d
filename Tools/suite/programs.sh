# Part of Tools/sqlite-suite: SQLite's test programs in C. They link the installed libsqlite3.so;
# open-proxied.c makes Sluice their default VFS if SLUICE_LIBRARY is set.

journal_modes="delete truncate persist memory wal off"

# Copies the programs and the product to $work/bin.
prepare_programs() {
  [ ! -x "$work/bin/speedtest1" ] || return 0
  install_sluice
  cp "$cache/bin/mptester" "$cache/bin/threadtest3" "$cache/bin/kvtest" "$cache/bin/speedtest1" \
    "$work/bin/"
  cp -R "$source/mptest" "$work/mptest"
  # Only this script asks for the VFS's name, to leave out tests that Windows cannot do.
  sed -i "s/vfsname() GLOB 'unix'/vfsname() GLOB '*'/" "$work/mptest/config01.test"
  mkdir -p "$work/mixed"
  cp "$suite/mptester" "$work/mixed/mptester"
  chmod -R a+rX "$work"
}

# Runs a program in an empty folder as the tester: WHO PROGRAM [ARGUMENT ...], WHO native or proxied.
run_program() {
  who=$1
  shift
  folder=$work/run
  [ "$keep_folder" ] || tester_folder "$folder"
  (
    cd "$folder"
    SUITE_BIN=$work/bin HOME=$folder TMPDIR=$folder
    SLUICE_DEFAULT=1 SLUICE_LIBRARY=$work/bin/libsluice.so SLUICE_SIDECAR=$work/bin/sluice
    [ "$who" = proxied ] || unset SLUICE_DEFAULT SLUICE_LIBRARY
    export SUITE_BIN HOME TMPDIR SLUICE_DEFAULT SLUICE_LIBRARY SLUICE_SIDECAR
    [ "$who" = proxied ] || unset SLUICE_DEFAULT SLUICE_LIBRARY
    as_tester timeout --kill-after=10 "$program_seconds_max" "$@"
  ) >"$work/program.log" 2>&1 </dev/null
}

# True if the database $1 of the last run is in WAL mode, or if $2 is another mode. If the VFS has no WAL
# mode, SQLite goes on without it and without an error.
is_in_mode() {
  [ "$2" != wal ] || [ "$(od -An -tu1 -j18 -N1 "$work/run/$1" | tr -d ' ')" = 2 ] || {
    echo "not in WAL mode: $1" >>"$work/program.log"
    return 1
  }
}

# Prints how the last program ended. $1 is its status, the rest its name.
report() {
  status=$1
  shift
  if [ "$status" -eq 0 ]; then
    echo "  ok: $*"
  else
    failed=1
    echo "  FAILED with $status: $*"
    { grep -ai 'error' "$work/program.log" | head -n 15; tail -n 5 "$work/program.log"; } |
      sed 's/^/    /'
  fi
}

# Runs with all clients proxied, then with every second one native.
mptester() {
  prepare_programs
  program_seconds_max=${SUITE_PROGRAM_SECONDS:-600}
  for mode in delete wal; do
    for script in config01 multiwrite01 crash01; do
      # config01 has clients that leave WAL mode while others are in it. Natively it has 58 errors too.
      [ "$script $mode" != "config01 wal" ] || continue
      for mix in bin mixed; do
        run=0
        while [ $((run += 1)) -le "$runs" ]; do
          status=0
          run_program proxied "$work/$mix/mptester" mptest.db "$work/mptest/$script.test" \
            --journalmode $mode || status=$?
          [ $script != multiwrite01 ] || is_in_mode mptest.db $mode || status=1
          clients=proxied
          [ $mix = bin ] || clients="half proxied, half native"
          report $status "mptester $script, $mode, $clients, $run of $runs:" \
            "$(sed -n 's/^Summary: //p' "$work/program.log")"
        done
      done
    done
  done
}

threadtest3() {
  prepare_programs
  program_seconds_max=1200
  run=0
  while [ $((run += 1)) -le "$runs" ]; do
    status=0
    run_program proxied "$work/bin/threadtest3" || status=$?
    report $status "threadtest3, $run of $runs: $(tail -n 1 "$work/program.log")"
  done
}

kvtest() {
  prepare_programs
  program_seconds_max=300
  run=0
  while [ $((run += 1)) -le "$runs" ]; do
    status=0
    keep_folder=
    run_program proxied "$work/bin/kvtest" init kv.db --count 5000 --size 12000 --variance 4000 ||
      status=$?
    report $status "kvtest init, $run of $runs"
    keep_folder=1
    for mode in delete truncate persist wal; do
      for how in "--blob-api --random" "--asc" "--update --multitrans --random" \
        "--update --blob-api --desc" "--mmap 100000000 --random"; do
        status=0
        # shellcheck disable=SC2086 # a list of words
        run_program proxied "$work/bin/kvtest" run kv.db --count 2000 --jmode $mode \
          --integrity-check $how || status=$?
        is_in_mode kv.db $mode || status=1
        report $status "kvtest run, $mode, $how, $run of $runs"
      done
    done
    keep_folder=
  done
}

speedtest1() {
  prepare_programs
  program_seconds_max=${SUITE_PROGRAM_SECONDS:-600}
  for mode in $journal_modes; do
    status=0
    run_program native "$work/bin/speedtest1" --size 10 --verify --journal $mode speed.db ||
      status=$?
    is_in_mode speed.db $mode || fail "speedtest1 does not keep its database in WAL mode"
    wanted=$(grep -a '^Verification Hash' "$work/program.log") || wanted="none, status $status"
    run=0
    while [ $((run += 1)) -le "$runs" ]; do
      status=0
      run_program proxied "$work/bin/speedtest1" --size 10 --verify --journal $mode speed.db ||
        status=$?
      came=$(grep -a '^Verification Hash' "$work/program.log") || came=none
      [ "$came" = "$wanted" ] || status=1
      is_in_mode speed.db $mode || status=1
      report $status "speedtest1, $mode, $run of $runs: ${came#Verification }"
    done
  done
}
