-- How many rows of each table were updated or deleted since statistics are kept, and for how many hours that has been, if known.
select n.nspname::pg_catalog.text as schema, s.relname::pg_catalog.text as name, s.n_tup_upd + s.n_tup_del as changes,
       (pg_catalog.extract('epoch', pg_catalog.clock_timestamp() - d.stats_reset) / 3600)::pg_catalog.float8 as hours
from pg_catalog.pg_stat_user_tables s
join user_schema n on n.nspname = s.schemaname
join pg_catalog.pg_stat_database d on d.datname = pg_catalog.current_database()
where s.n_tup_upd + s.n_tup_del > 0
