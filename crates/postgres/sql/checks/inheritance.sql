-- Children of tables that are not partitioned.
select pg_catalog.format('%I.%I (from %s)', n.nspname, c.relname, i.inhparent::pg_catalog.regclass) as object,
       pg_catalog.pg_total_relation_size(c.oid) as bytes, c.oid as relation
from pg_catalog.pg_inherits i
join pg_catalog.pg_class c on c.oid = i.inhrelid
join user_schema n on n.oid = c.relnamespace
where c.relkind = 'r'
  and not c.relispartition
