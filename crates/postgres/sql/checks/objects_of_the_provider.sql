-- Tables in the user's schemas that a role of the provider owns.
select pg_catalog.format('%I.%I (%s)', n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner)) as object,
       pg_catalog.pg_total_relation_size(c.oid) as bytes
from pg_catalog.pg_class c
join user_schema n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
  and pg_catalog.pg_get_userbyid(c.relowner) ~ '^(azure_|azuresu$)'
