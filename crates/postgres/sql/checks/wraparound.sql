-- Tables whose oldest rows have gone through half of all transaction ids.
select pg_catalog.format('%I.%I (%s million transactions old)', n.nspname, c.relname,
         pg_catalog.age(c.relfrozenxid) / 1000000) as object, pg_catalog.pg_table_size(c.oid) as bytes, c.oid as relation
from pg_catalog.pg_class c
join user_schema n on n.oid = c.relnamespace
where c.relkind in ('r', 'm')
  and c.relfrozenxid <> 0::pg_catalog.text::pg_catalog.xid
  and pg_catalog.age(c.relfrozenxid) > pg_catalog.current_setting('autovacuum_freeze_max_age')::pg_catalog.int8 * 2
