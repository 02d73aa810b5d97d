-- Materialized views, with what they take.
select pg_catalog.format('%I.%I%s', n.nspname, c.relname, case when c.relispopulated then '' else ' (never filled)' end) as object,
       pg_catalog.pg_total_relation_size(c.oid) as bytes, c.oid as relation
from pg_catalog.pg_class c
join user_schema n on n.oid = c.relnamespace
where c.relkind = 'm'
