# Makes Sluice the default VFS of this testfixture process, then runs the script in its arguments as
# testfixture itself would.
#
# usage: testfixture preamble.tcl SCRIPT [ARGUMENT ...]
#   SLUICE_LIBRARY      the extension; SLUICE_DEFAULT=1 makes it the default
#   SUITE_VARIABLES     os-variables.c as an extension
#   SUITE_TESTFIXTURE   the program that tests start to get another process like this one
#   SUITE_SKIPPED       test files that do not run (optional)
#
# The harness calls sqlite3_shutdown, and SQLite then forgets the default VFS. So this script loads the
# extension again after each sqlite3_initialize that succeeds, and before a connection that would find
# SQLite's own VFS as the default. The traced commands keep their traces when the harness renames them.

namespace eval sluice {
  variable library $env(SLUICE_LIBRARY)
  variable variables $env(SUITE_VARIABLES)
  variable program $env(SUITE_TESTFIXTURE)
  variable preamble [file normalize [info script]]
  variable skipped [expr {[info exists env(SUITE_SKIPPED)] ? $env(SUITE_SKIPPED) : ""}]
  variable depth 0

  # An imported command stays SQLite's own when the harness renames it and puts a procedure there.
  namespace eval :: { namespace export sqlite3 }
  namespace import ::sqlite3

  proc load {} {
    variable library
    variable variables
    sqlite3 [namespace current]::loader :memory:
    loader enable_load_extension 1
    loader eval {SELECT load_extension($library), load_extension($variables)}
    loader close
  }

  proc isFirst {} { expr {[string match *sluice* [lindex [sqlite3_vfs_list] 0]]} }

  proc afterInitialize {command code result operation} {
    if {$result eq "SQLITE_OK"} { load }
  }

  # C code calls sqlite3_shutdown too, and no trace sees that. If a test makes SQLite's own initialization
  # fail, the failure must come from the test's open.
  proc beforeOpen {command operation} {
    if {[init_wrapper_query] eq "" && [lindex [sqlite3_vfs_list] 0] eq "unix"} { load }
  }

  # Test files run in interpreters of their own, which get the commands anew.
  proc afterExtending {command code result operation} {
    variable preamble
    interp eval [lindex $command 1] [list source $preamble]
  }

  proc nameOfProgram {} {
    variable program
    return $program
  }

  # Replaces `source` for test files. Leaves a file out that must not run. An error that ends a file counts
  # as a failure; with `source` it would end all tests.
  proc sourceTest {args} {
    variable skipped
    variable depth
    set tail [file tail [lindex $args end]]
    if {$tail in $skipped} return
    incr depth
    set code [catch { uplevel 1 [list ::sluice::source {*}$args] } result options]
    incr depth -1
    if {$depth == 0 && $code == 1 && [llength [info commands ::fail_test]]} {
      puts "\n! $tail-ends got: $result"
      puts [dict get $options -errorinfo]
      fail_test $tail-ends
      return
    }
    return -options $options $result
  }

  trace add execution sqlite3_initialize leave ::sluice::afterInitialize
  foreach command {sqlite3 sqlite3_open sqlite3_open16 sqlite3_open_v2} {
    trace add execution ::$command enter ::sluice::beforeOpen
  }
  trace add execution load_testfixture_extensions leave ::sluice::afterExtending

  # SQLite's writes are on their way through shared memory for a moment (SPEC.md, Posting without waiting).
  # A test that looks at files by itself in the middle of a transaction waits that moment.
  proc beforeLook {command operation} { after 2 }

  proc beforeFile {command operation} {
    if {[lindex $command 1] in {size copy}} { after 2 }
  }

  foreach command {open hexio_read} {
    trace add execution ::$command enter ::sluice::beforeLook
  }
  trace add execution ::file enter ::sluice::beforeFile

  # Tests start further processes by this name. They must be proxied too.
  namespace ensemble configure ::info -map [dict replace \
      [namespace ensemble configure ::info -map] nameofexecutable ::sluice::nameOfProgram]
}

if {[info exists SLAVE]} {
  rename source ::sluice::source
  interp alias {} source {} ::sluice::sourceTest
} elseif {[info exists argv]} {
  sluice::load
  if {![sluice::isFirst]} { error "Sluice is not the default VFS: [sqlite3_vfs_list]" }
  set argv0 [lindex $argv 0]
  set argv [lrange $argv 1 end]
  set argc [llength $argv]
  source $argv0
}
