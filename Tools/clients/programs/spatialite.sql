.bail on
CREATE TABLE place(id INTEGER PRIMARY KEY, name TEXT);
SELECT AddGeometryColumn('place', 'point', 4326, 'POINT', 'XY');
BEGIN;
INSERT INTO place(name, point) VALUES('here', MakePoint(13.4, 52.5, 4326));
COMMIT;
SELECT CreateSpatialIndex('place', 'point');
SELECT name, AsText(point), round(X(ST_Transform(point, 3857))) FROM place;
PRAGMA integrity_check;
