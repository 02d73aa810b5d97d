-- Constraints that new rows keep to, and old ones perhaps not.
select pg_catalog.format('%I on %I.%I', k.conname, n.nspname, c.relname) as object, 0::pg_catalog.int8 as bytes, c.oid as relation
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join user_schema n on n.oid = c.relnamespace
where not k.convalidated
  and k.contype in ('c', 'f')
