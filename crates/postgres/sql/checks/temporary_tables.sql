-- Temporary tables of sessions that are open.
select pg_catalog.format('%I', c.relname) as object, pg_catalog.pg_table_size(c.oid) as bytes
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname ~ '^pg_temp_'
  and c.relkind in ('r', 'p')
  and c.relpersistence = 't'
