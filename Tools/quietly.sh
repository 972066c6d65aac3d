# Steps that may take long, for a script that sources this: what each says goes to a file, and who is
# told to end while one lasts ends it too.
#
# The script has set `log`, the file, and `step_seconds_max`, and leaves SIGHUP, SIGINT and SIGTERM to
# this.

child=

# Told to end in the middle of a step: what that step had said may show what it hung on. Only
# SIGINT makes `swift test` end its tests too.
give_up() {
  trap '' HUP INT TERM
  if [ -n "$child" ]; then
    kill -INT "$child" 2>/dev/null || :
    wait "$child" || :
    tail -n 40 "$log" >&2
  fi
  exit "$1"
}
trap 'give_up 129' HUP
trap 'give_up 130' INT
trap 'give_up 143' TERM

# Runs a command and gives its exit code, 124 when it was not done in time.
quietly() {
  timeout -s INT -k 10 "$step_seconds_max" "$@" >"$log" 2>&1 </dev/null &
  child=$!
  status=0
  wait "$child" || status=$?
  child=
  return "$status"
}
