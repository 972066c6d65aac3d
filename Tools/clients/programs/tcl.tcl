# Tcl's sqlite3.
package require sqlite3

set vfs {}
if {[info exists env(SLUICE_EXTENSION)]} {
  sqlite3 loader :memory:
  loader enable_load_extension 1
  loader eval "SELECT load_extension('$env(SLUICE_EXTENSION)')"
  set vfs {-vfs sluice}
}
foreach mode {delete wal} {
  sqlite3 first $mode.db {*}$vfs
  puts [first eval "PRAGMA journal_mode=$mode"]
  first eval {CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)}
  first transaction {
    for {set i 0} {$i < 100} {incr i} { first eval {INSERT INTO t(word) VALUES('word ' || $i)} }
  }
  sqlite3 second $mode.db {*}$vfs
  catch {
    first transaction {
      first eval {DELETE FROM t}
      puts [second eval {SELECT count(*) FROM t}]
      error undo
    }
  } why
  puts $why
  puts [first eval {SELECT count(*), max(word) FROM t}]
  if {$vfs eq {}} { first backup $mode-copy.db }
  puts [first eval {PRAGMA integrity_check}]
  first close
  second close
}
