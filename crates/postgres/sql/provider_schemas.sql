-- Schemas that a dump leaves out: the migration's own and a provider's (see user_schemas.sql).
select n.nspname
from pg_catalog.pg_namespace n
join pg_catalog.pg_roles o on o.oid = n.nspowner
where n.nspname ~ '^azure2neon_'
   or (o.rolsuper and (n.nspname ~ '^azure_' or n.nspname in ('neon', 'neon_migration')))
order by 1
