-- Before PostgreSQL 16 it takes a superuser, or Azure's administrators, whom its servers let.
select r.rolsuper
       or exists (
           select from pg_catalog.pg_roles g
           where g.rolname in ('pg_create_subscription', 'azure_pg_admin') and pg_catalog.pg_has_role(r.oid, g.oid, 'usage')
             and pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create')
       )
from pg_catalog.pg_roles r
where r.rolname = current_user
