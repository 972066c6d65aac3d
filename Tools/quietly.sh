# Runs steps that may take long, for a script that sources this. The output of a step goes to a file. A
# signal that ends the script ends the step too.
#
# The script has set `log`, the file, and `step_seconds_max`. It leaves SIGHUP, SIGINT and SIGTERM to this
# file.

child=

# A signal came in the middle of a step. The step's output may show where it hung. Only SIGINT makes
# `swift test` end its tests too.
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

# Runs a command and returns its exit code, or 124 if it was not done in time.
quietly() {
  timeout -s INT -k 10 "$step_seconds_max" "$@" >"$log" 2>&1 </dev/null &
  child=$!
  status=0
  wait "$child" || status=$?
  child=
  return "$status"
}
