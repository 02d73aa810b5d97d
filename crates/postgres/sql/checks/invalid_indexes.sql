-- Indexes that queries don't use, since their build failed or goes on.
select pg_catalog.format('%I.%I', n.nspname, c.relname) as object, pg_catalog.pg_relation_size(c.oid) as bytes, i.indrelid as relation
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join user_schema n on n.oid = c.relnamespace
where not i.indisvalid
  and c.relkind = 'i'
