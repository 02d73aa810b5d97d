-- Primary keys and unique constraints that may be checked at the end of a transaction.
select pg_catalog.format('%I on %I.%I', k.conname, n.nspname, c.relname) as object, pg_catalog.pg_relation_size(c.oid) as bytes, c.oid as relation
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join user_schema n on n.oid = c.relnamespace
where k.contype in ('p', 'u')
  and k.condeferrable
