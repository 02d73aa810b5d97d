-- Tables and sequences among $2 (oids) that the role $1 may not read.
select pg_catalog.format('%I.%I', n.nspname, c.relname)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid = any ($2)
  and not (pg_catalog.has_schema_privilege($1, n.oid, 'usage')
           and case c.relkind when 'S' then pg_catalog.has_sequence_privilege($1, c.oid, 'select')
               else pg_catalog.has_table_privilege($1, c.oid, 'select') end)
order by 1
