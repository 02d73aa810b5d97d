-- Identity columns that take no value from an INSERT.
select pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname) as object, 0::pg_catalog.int8 as bytes, c.oid as relation
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join user_schema n on n.oid = c.relnamespace
where a.attidentity = 'a'
  and a.attnum > 0
  and not a.attisdropped
  and not c.relispartition
