-- Schemas that may hold the user's objects. A provider's own are told by their owner as well as their name: a superuser owns
-- them, and no user of a managed server is one. A user's schema of such a name must not be lost.
select n.oid, n.nspname
from pg_catalog.pg_namespace n
join pg_catalog.pg_roles o on o.oid = n.nspowner
where n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and n.nspname !~ '^azure2neon_'
  and not (o.rolsuper and (n.nspname ~ '^azure_' or n.nspname in ('neon', 'neon_migration')))
