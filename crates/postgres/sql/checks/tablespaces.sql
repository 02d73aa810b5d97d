-- Relations that are stored elsewhere than their database.
select pg_catalog.format('%I.%I (%s)', n.nspname, c.relname, t.spcname) as object, pg_catalog.pg_relation_size(c.oid) as bytes,
       coalesce(x.indrelid, c.oid) as relation
from pg_catalog.pg_class c
join user_schema n on n.oid = c.relnamespace
join pg_catalog.pg_tablespace t on t.oid = c.reltablespace
left join pg_catalog.pg_index x on x.indexrelid = c.oid
where c.relkind in ('r', 'p', 'm', 'i', 'I')
