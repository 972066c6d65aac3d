# Flask under gunicorn: four workers, 400 writes of eight visitors at once, in both modes.
set -eu
here=$(dirname "$0")
for mode in delete wal; do
  sqlite3 $mode.db "PRAGMA journal_mode=$mode; CREATE TABLE t(process)"
  rm -f socket
  DATABASE=$PWD/$mode.db PYTHONPATH=$here gunicorn --worker-tmp-dir "$PWD" --log-level error \
    -w 4 -b "unix:$PWD/socket" flask_client:app &
  server=$!
  /usr/bin/python3 "$here/visitors.py" socket 8 50
  kill $server
  wait $server || :
  sqlite3 $mode.db "SELECT count(*) FROM t; PRAGMA integrity_check"
done
