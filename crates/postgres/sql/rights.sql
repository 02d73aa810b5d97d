-- What the session's role may do on the server and with the tables $1 (oids).
select r.rolsuper or exists (
           select from pg_catalog.pg_roles g
           where g.rolname in ('azure_pg_admin', 'azure_superuser') and pg_catalog.pg_has_role(r.oid, g.oid, 'member')
       ) as administrator,
       r.rolcreaterole as creates_roles,
       r.rolreplication as replication,
       pg_catalog.pg_has_role(d.datdba, 'usage') as owns_database,
       pg_catalog.has_database_privilege(d.oid, 'create') as creates_schemas,
       pg_catalog.pg_has_role('pg_signal_backend', 'usage') as signals,
       array(select c.oid::pg_catalog.regclass::pg_catalog.text from pg_catalog.pg_class c
             where c.oid = any ($1) and not pg_catalog.pg_has_role(c.relowner, 'usage') order by c.relname collate "C") as of_others,
       array(select c.oid::pg_catalog.regclass::pg_catalog.text from pg_catalog.pg_class c
             where c.oid = any ($1) and not pg_catalog.has_table_privilege(c.oid, 'select') order by c.relname collate "C") as unreadable
from pg_catalog.pg_roles r
cross join pg_catalog.pg_database d
where r.rolname = current_user and d.datname = pg_catalog.current_database()
