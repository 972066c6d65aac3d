<?php
// PHP's PDO.
$extension = getenv("SLUICE_EXTENSION");
if ($extension) {
  $loader = new SQLite3(":memory:");
  $loader->loadExtension(basename($extension));
}
foreach (["delete", "wal"] as $mode) {
  $name = $extension ? "file:$mode.db?vfs=sluice" : "$mode.db";
  $first = new PDO("sqlite:$name");
  echo $first->query("PRAGMA journal_mode=$mode")->fetchColumn(), "\n";
  $first->exec("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)");
  $first->beginTransaction();
  $insert = $first->prepare("INSERT INTO t(word) VALUES(?)");
  for ($i = 0; $i < 100; $i++) $insert->execute(["word $i"]);
  $first->commit();
  $second = new PDO("sqlite:$name");
  $first->beginTransaction();
  $first->exec("DELETE FROM t");
  echo $second->query("SELECT count(*) FROM t")->fetchColumn(), "\n";
  $first->rollBack();
  echo json_encode($first->query("SELECT count(*), max(word) FROM t")->fetch(PDO::FETCH_NUM)), "\n";
  echo $first->query("PRAGMA integrity_check")->fetchColumn(), "\n";
  $first = $second = null;
}
