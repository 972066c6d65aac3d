-- Questions to the package database. The answers must not depend on the place of the files.
.headers on
.mode column

.print "In all"
.width -10 -10 -12 -14 -14
SELECT
  (SELECT count(*) FROM package) AS packages, (SELECT count(*) FROM entry) AS entries,
  (SELECT count(*) FROM directory) AS directories,
  (SELECT count(*) FROM dependency) AS dependencies,
  (SELECT sum(installed_kib) / 1024 FROM package) AS "installed MiB";

.print
.print "The biggest packages"
.width -10 36 28
SELECT printf('%.1f', installed_kib / 1024.0) AS MiB, name AS package, version
FROM package ORDER BY installed_kib DESC, name, architecture LIMIT 6;

.print
.print "Those with the most entries in the file system"
.width -10 36 28
SELECT entry_count AS entries, package.name AS package, section
FROM package ORDER BY entry_count DESC, package.name, architecture LIMIT 6;

.print
.print "The directories with the most entries"
.width -10 -10 50
SELECT count(*) AS entries, count(DISTINCT package_id) AS packages, path AS directory
FROM entry JOIN directory ON directory.id = directory_id
GROUP BY directory_id ORDER BY entries DESC, path LIMIT 6;

.print
.print "The most wanted packages"
.width -10 -10 -12 36
SELECT count(*) FILTER (WHERE kind IN ('depends', 'pre-depends')) AS need,
  count(*) FILTER (WHERE kind = 'recommends') AS recommend,
  count(*) FILTER (WHERE kind = 'suggests') AS suggest, target AS package
FROM dependency GROUP BY target ORDER BY need DESC, target LIMIT 6;

.print
.print "How far removing one of them would reach"
.width -10 36
WITH RECURSIVE
  root(name) AS (VALUES ('libc6'), ('zlib1g'), ('libsqlite3-0'), ('perl-base')),
  reach(root, name) AS (
    SELECT name, name FROM root
    UNION
    SELECT reach.root, package.name
    FROM reach
    JOIN dependency ON target = reach.name AND kind IN ('depends', 'pre-depends')
    JOIN package ON package.id = package_id)
SELECT count(*) - 1 AS packages, root AS "need directly or not"
FROM reach GROUP BY root ORDER BY packages DESC, root;

.print
.print "Who owns a program (an indexed look-up)"
.width 10 36 28
SELECT entry.name AS program, package.name AS package, version
FROM directory
JOIN entry ON directory_id = directory.id AND entry.name IN ('sqlite3', 'dpkg', 'awk', 'env')
JOIN package ON package.id = package_id
WHERE path = '/usr/bin/' ORDER BY program, package;

.print
.print "Text to read, byte for byte"
.width -12 -12 36
SELECT sum(length(CAST(description AS BLOB))) AS bytes, count(*) AS packages, section
FROM package GROUP BY section ORDER BY bytes DESC, section LIMIT 4;
