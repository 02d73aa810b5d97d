-- Columns that the server computes.
select pg_catalog.format('%I.%I.%I (%s)', n.nspname, c.relname, a.attname,
         case a.attgenerated when 'v' then 'virtual' else 'stored' end) as object,
       0::pg_catalog.int8 as bytes, c.oid as relation
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join user_schema n on n.oid = c.relnamespace
where a.attgenerated <> ''
  and a.attnum > 0
  and not a.attisdropped
  and c.relkind in ('r', 'p')
  and not c.relispartition
