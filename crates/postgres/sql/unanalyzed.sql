-- A partitioned table has statistics of its own, of all its leaves; nobody but ANALYZE makes them.
select n.nspname::pg_catalog.text, c.relname::pg_catalog.text
from pg_catalog.pg_class c
join user_schema n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't'
  and (not exists (select from pg_catalog.pg_stats s where s.schemaname = n.nspname and s.tablename = c.relname)
       or exists (select from pg_catalog.pg_statistic_ext e where e.stxrelid = c.oid))
order by 1, 2
