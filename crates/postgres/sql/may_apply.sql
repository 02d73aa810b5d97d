-- Row-level security stops an apply worker unless the role that it works as is above it.
select c.oid::pg_catalog.regclass::pg_catalog.text as name,
       pg_catalog.pg_has_role(c.relowner, 'set')
           and (not (c.relrowsecurity and c.relforcerowsecurity) or o.rolsuper or o.rolbypassrls) as as_owner,
       not (false = any (array[
           pg_catalog.has_schema_privilege(c.relnamespace, 'usage'), pg_catalog.has_table_privilege(c.oid, 'select'),
           pg_catalog.has_table_privilege(c.oid, 'insert'), pg_catalog.has_table_privilege(c.oid, 'update'),
           pg_catalog.has_table_privilege(c.oid, 'delete'), pg_catalog.has_table_privilege(c.oid, 'truncate')
       ])) and (not c.relrowsecurity or me.rolsuper or me.rolbypassrls) as as_itself
from pg_catalog.pg_class c
join pg_catalog.pg_roles o on o.oid = c.relowner
join pg_catalog.pg_roles me on me.rolname = current_user
where c.oid = any ($1)
order by c.relname collate "C"
