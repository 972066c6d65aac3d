<?php
// PHP's class SQLite3. It takes no URI: as an extension Sluice is the default VFS.
$extension = getenv("SLUICE_EXTENSION");
if ($extension) {
  putenv("SLUICE_DEFAULT=1");
  $loader = new SQLite3(":memory:");
  $loader->loadExtension(basename($extension));
}
foreach (["delete", "wal"] as $mode) {
  $first = new SQLite3("$mode.db");
  echo $first->querySingle("PRAGMA journal_mode=$mode"), "\n";
  $first->exec("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT); BEGIN");
  for ($i = 0; $i < 100; $i++) $first->exec("INSERT INTO t(word) VALUES('word $i')");
  $first->exec("COMMIT");
  $second = new SQLite3("$mode.db");
  $first->exec("BEGIN; DELETE FROM t");
  echo $second->querySingle("SELECT count(*) FROM t"), "\n";
  $first->exec("ROLLBACK");
  echo json_encode($first->querySingle("SELECT count(*) AS n, max(word) AS m FROM t", true)), "\n";
  $copy = new SQLite3("$mode-copy.db");
  $first->backup($copy);
  echo $copy->querySingle("PRAGMA integrity_check"), "\n";
  foreach ([$first, $second, $copy] as $one) $one->close();
}
