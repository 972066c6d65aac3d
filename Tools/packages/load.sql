-- Makes a database from the files that Tools/packages/export wrote into the working directory. Stock
-- sqlite3 reads this script twice: once through a sidecar, once natively.

-- Temporary tables hold the raw text. SQLite keeps them in files too, once they have grown.
CREATE TEMP TABLE staged_package(
  name, architecture, version, status, section, priority, essential, multi_arch, source,
  installed_kib, maintainer, homepage, pre_depends, depends, recommends, suggests, provides,
  summary, description);
CREATE TEMP TABLE staged_file(list, path);
.import --ascii --schema temp packages.ascii staged_package
.import --ascii --schema temp files.ascii staged_file

BEGIN IMMEDIATE;

CREATE TABLE package(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL, architecture TEXT NOT NULL, version TEXT NOT NULL, status TEXT NOT NULL,
  section TEXT, priority TEXT, essential TEXT, multi_arch TEXT, source TEXT,
  installed_kib INTEGER, maintainer TEXT, homepage TEXT, summary TEXT, description TEXT,
  entry_count INTEGER,
  UNIQUE(name, architecture));
CREATE TABLE directory(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE entry(
  id INTEGER PRIMARY KEY,
  package_id INTEGER NOT NULL REFERENCES package,
  directory_id INTEGER NOT NULL REFERENCES directory,
  name TEXT NOT NULL);
-- One row for each package that a package asks for; alternatives share a position.
CREATE TABLE dependency(
  package_id INTEGER NOT NULL REFERENCES package,
  kind TEXT NOT NULL, position INTEGER NOT NULL, alternative INTEGER NOT NULL,
  target TEXT NOT NULL, condition TEXT NOT NULL,
  PRIMARY KEY(package_id, kind, position, alternative)) WITHOUT ROWID;

INSERT INTO package(
  name, architecture, version, status, section, priority, essential, multi_arch, source,
  installed_kib, maintainer, homepage, summary, description)
SELECT
  name, architecture, version, status, section, priority, essential, multi_arch, source,
  installed_kib, maintainer, homepage, summary, description
FROM staged_package
WHERE status NOT IN ('not-installed', 'config-files')
ORDER BY name, architecture;

CREATE INDEX temp.staged_file_by_list ON staged_file(list);

-- "/usr/bin/env" is the entry "env" of the directory "/usr/bin/". A package that may be installed
-- for several architectures has one list for each.
CREATE TEMP TABLE placed AS
SELECT package.id AS package_id, rtrim(path, replace(path, '/', '')) AS directory, path
FROM package
JOIN staged_file
  ON list = iif(multi_arch = 'same', package.name || ':' || architecture, package.name)
WHERE path <> '/.';
INSERT INTO directory(path) SELECT DISTINCT directory FROM placed ORDER BY directory;
INSERT INTO entry(package_id, directory_id, name)
SELECT package_id, directory.id, substr(placed.path, length(directory.path) + 1)
FROM placed JOIN directory ON directory.path = placed.directory
ORDER BY package_id, placed.path;

-- Who has which file open now, in the middle of a write transaction?
.shell sh '"$SLUICE_DEMO_WITNESS"' $PPID

INSERT INTO dependency
WITH RECURSIVE
  field(package_id, kind, text) AS (
    SELECT package.id, kind.name,
      CASE kind.name
        WHEN 'pre-depends' THEN pre_depends WHEN 'depends' THEN depends
        WHEN 'recommends' THEN recommends ELSE suggests
      END
    FROM package JOIN staged_package USING (name, architecture),
      (SELECT 'pre-depends' AS name UNION ALL SELECT 'depends'
        UNION ALL SELECT 'recommends' UNION ALL SELECT 'suggests') AS kind),
  item(package_id, kind, position, text, rest) AS (
    SELECT package_id, kind, 0, '', text || ',' FROM field WHERE text <> ''
    UNION ALL
    SELECT package_id, kind, position + 1, substr(rest, 1, instr(rest, ',') - 1),
      substr(rest, instr(rest, ',') + 1)
    FROM item WHERE rest <> ''),
  choice(package_id, kind, position, alternative, text, rest) AS (
    SELECT package_id, kind, position, 0, '', text || '|' FROM item WHERE position > 0
    UNION ALL
    SELECT package_id, kind, position, alternative + 1,
      trim(substr(rest, 1, instr(rest, '|') - 1), ' ' || char(10)),
      substr(rest, instr(rest, '|') + 1)
    FROM choice WHERE rest <> ''),
  -- "libc6:any (>= 2.36)": the name ends before a colon, a space or a parenthesis.
  cut(package_id, kind, position, alternative, text, name_length) AS (
    SELECT package_id, kind, position, alternative, text,
      instr(replace(replace(text, ':', ' '), '(', ' ') || ' ', ' ') - 1
    FROM choice WHERE alternative > 0 AND text <> '')
SELECT package_id, kind, position, alternative, substr(text, 1, name_length),
  trim(substr(text, name_length + 1))
FROM cut
ORDER BY package_id, kind, position, alternative;

CREATE INDEX entry_by_package ON entry(package_id);
CREATE INDEX entry_by_directory ON entry(directory_id, name);
CREATE INDEX dependency_by_target ON dependency(target, kind);
COMMIT;

-- Then as programs mostly write: a transaction for each package, each of them durable.
.read transactions.sql

ANALYZE;
VACUUM;
