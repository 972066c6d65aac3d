.bail on
.open file:app.db?vfs=sluice
CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT);
BEGIN;
INSERT INTO t(word) VALUES('one'), ('two'), ('three');
COMMIT;
BEGIN;
DELETE FROM t;
ROLLBACK;
SELECT count(*), group_concat(word) FROM t;
.backup file:copy.db?vfs=sluice
.clone file:clone.db?vfs=sluice
PRAGMA integrity_check;
PRAGMA journal_mode=WAL;
INSERT INTO t(word) VALUES('four');
BEGIN IMMEDIATE;
INSERT INTO t(word) VALUES('five');
.connection 1
.open file:app.db?vfs=sluice
SELECT count(*) FROM t;
.connection 0
COMMIT;
.connection 1
SELECT count(*) FROM t;
ATTACH 'file:copy.db?vfs=sluice' AS copy;
SELECT count(*) FROM copy.t;
PRAGMA journal_mode;
