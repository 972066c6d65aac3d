# Perl's DBD::SQLite.
use strict;
use warnings;
use DBI;

my $extension = $ENV{SLUICE_EXTENSION};

sub opened {
  my ($name) = @_;
  my $source = $extension ? "dbi:SQLite:uri=file:$name?vfs=sluice" : "dbi:SQLite:dbname=$name";
  return DBI->connect($source, "", "", {RaiseError => 1, PrintError => 0});
}

if ($extension) {
  my $loader = DBI->connect("dbi:SQLite:dbname=:memory:", "", "", {RaiseError => 1});
  $loader->sqlite_enable_load_extension(1);
  $loader->do("SELECT load_extension('$extension')");
}
for my $mode ("delete", "wal") {
  my $first = opened("$mode.db");
  print $first->selectrow_array("PRAGMA journal_mode=$mode"), "\n";
  $first->do("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)");
  $first->begin_work;
  my $insert = $first->prepare("INSERT INTO t(word) VALUES(?)");
  $insert->execute("word $_") for 1 .. 100;
  $first->commit;
  my $second = opened("$mode.db");
  $first->begin_work;
  $first->do("DELETE FROM t");
  print "beside a writer: ", $second->selectrow_array("SELECT count(*) FROM t"), "\n";
  $first->rollback;
  print join(" ", $first->selectrow_array("SELECT count(*), max(word) FROM t")), "\n";
  $first->sqlite_backup_to_file("$mode-copy.db") unless $extension;
  print $first->selectrow_array("PRAGMA integrity_check"), "\n";
  $first->disconnect;
  $second->disconnect;
}
