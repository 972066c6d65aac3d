# Compares the output of testfixture in two runs of the same test files.
#
# usage: tclsh compare.tcl NATIVE-LOG PROXIED-LOG NOT-APPLICABLE [FILE.test ...]
#   With FILEs, only these count; else all files that ran natively. A line `== FILE.test` in a log means
#   that the output of another process follows, which ran that file alone.
# Prints each test that the native run passed and the proxied run failed or did not reach, if
# NOT-APPLICABLE does not name it. Exit 0 if there is none, else 1.
#
# NOT-APPLICABLE: one line each, `PATTERN  reason`. PATTERN is a glob over test names, or over whole
# files where it ends in `.test`. A `#` begins a comment line.

# Fills outcome($file,$name) with 1 (passed) or 0. A test's file is known once its time is printed.
proc readLog {path outcomeName filesName} {
  upvar 1 $outcomeName outcome $filesName files
  set pending {}
  set current {}
  set channel [open $path]
  fconfigure $channel -encoding binary
  while {[gets $channel line] >= 0} {
    if {[regexp {^(\S.*?)\.\.\. Ok} $line - name]} {
      if {![dict exists $pending $name]} { dict set pending $name 1 }
    } elseif {[regexp {^(\S.*?)\.\.\.(?: Failed.*)?$} $line - name]} {
      # The verdict follows on another line: Omitted, or the expected and the real result.
      set last $name
    } elseif {[regexp {^! (.*?) (expected|got): } $line - name]} {
      dict set pending $name 0
    } elseif {[regexp {^Error: } $line] && [info exists last]} {
      dict set pending $last 0
    } elseif {[regexp {^== (\S+)$} $line - next]} {
      # Another process begins. The last one may have ended before its file did.
      dict for {name passed} $pending { set outcome($current,$name) $passed }
      set pending {}
      set current $next
    } elseif {[regexp {^Time: (\S+) } $line - file]} {
      dict for {name passed} $pending { set outcome($file,$name) $passed }
      set files($file) 1
      set pending {}
    }
  }
  close $channel
  # Tests after the last complete file belong to a file that did not end.
  dict for {name passed} $pending { set outcome($current,$name) $passed }
}

proc readList {path} {
  set patterns {}
  set channel [open $path]
  while {[gets $channel line] >= 0} {
    set line [string trim $line]
    if {$line eq "" || [string index $line 0] eq "#"} continue
    lappend patterns [lindex [split $line] 0]
  }
  close $channel
  return $patterns
}

proc isListed {file name} {
  foreach pattern $::patterns {
    if {[string match *.test $pattern]} {
      if {[string match $pattern $file]} { return 1 }
    } elseif {[string match $pattern $name]} {
      return 1
    }
  }
  return 0
}

lassign $argv nativePath proxiedPath listPath
set asked [lrange $argv 3 end]
readLog $nativePath native nativeFiles
readLog $proxiedPath proxied proxiedFiles
set patterns [readList $listPath]

set failed 0
set excused 0
foreach key [lsort -dictionary [array names proxied]] {
  if {$proxied($key)} continue
  regexp {^([^,]*),(.*)$} $key - file name
  if {[info exists native($key)] && !$native($key)} continue
  if {[isListed $file $name]} { incr excused; continue }
  incr failed
  puts "  FAILED  $file  $name"
}

set missing 0
foreach file [lsort -dictionary [array names nativeFiles]] {
  if {[llength $asked] && $file ni $asked} continue
  if {[isListed $file ""]} continue
  if {![info exists proxiedFiles($file)]} {
    incr missing
    puts "  ENDED EARLY OR NOT REACHED  $file"
    continue
  }
}
# Some test names contain a number from random content, so count first. Fault tests make each call fail in
# turn; the number of calls depends on the VFS.
foreach outcome {native proxied} {
  foreach key [array names $outcome -regexp {-(transient|persistent)\.\d+$}] {
    if {[set ${outcome}($key)]} { unset ${outcome}($key) }
  }
}
foreach {counts outcome} {nativeCount native proxiedCount proxied} {
  foreach key [array names $outcome] { incr ${counts}([lindex [split $key ,] 0]) }
}
foreach key [lsort -dictionary [array names native]] {
  regexp {^([^,]*),(.*)$} $key - file name
  if {[info exists proxiedCount($file)] && $proxiedCount($file) >= $nativeCount($file)} continue
  if {![info exists proxiedFiles($file)] || [info exists proxied($key)]} continue
  if {[llength $asked] && $file ni $asked} continue
  if {[isListed $file $name]} continue
  incr missing
  lappend absent($file) $name
}
foreach file [lsort -dictionary [array names absent]] {
  puts "  DID NOT RUN  $file  [llength $absent($file)] tests, from [lindex $absent($file) 0] on"
}
puts "  [array size proxied] tests by name, $failed failed only here, $missing did not run,\
    $excused failed that cannot apply"
exit [expr {$failed || $missing}]
