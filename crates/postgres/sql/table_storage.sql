select n.nspname::pg_catalog.text as schema, c.relname::pg_catalog.text as name,
       pg_catalog.pg_relation_filenode(c.oid)::pg_catalog.int8 as file,
       coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0)::pg_catalog.int8 as out_of_line
from rows from (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) w (schema, name)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
