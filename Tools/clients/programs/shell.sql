.bail on
CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT);
BEGIN;
INSERT INTO t(word) VALUES('one'), ('two'), ('three');
COMMIT;
BEGIN;
DELETE FROM t;
ROLLBACK;
SELECT count(*), group_concat(word) FROM t;
.backup copy.db
.clone clone.db
PRAGMA integrity_check;
PRAGMA journal_mode=WAL;
INSERT INTO t(word) VALUES('four');
BEGIN IMMEDIATE;
INSERT INTO t(word) VALUES('five');
.connection 1
.open app.db
SELECT count(*) FROM t;
.connection 0
COMMIT;
.connection 1
SELECT count(*) FROM t;
ATTACH 'copy.db' AS copy;
SELECT count(*) FROM copy.t;
PRAGMA journal_mode;
