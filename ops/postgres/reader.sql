-- Reads everything and changes nothing: Grafana's user, and that of PostgreSQL's exporter. The image of PostgreSQL runs this when
-- it makes the database.
create role reader login password 'reader';
grant pg_read_all_data, pg_monitor to reader;
