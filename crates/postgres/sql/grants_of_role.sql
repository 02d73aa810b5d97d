-- Statements that take back what was granted to the role $1 in this database.
with role as (select r.oid, r.rolname from pg_catalog.pg_roles r where r.rolname = $1)
select pg_catalog.format('revoke all on %s %I.%I from %I', case c.relkind when 'S' then 'sequence' else 'table' end,
                         n.nspname, c.relname, role.rolname)
from role, pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where exists (select from pg_catalog.aclexplode(c.relacl) x where x.grantee = (select oid from role))
union all
select pg_catalog.format('alter default privileges for role %I%s revoke all on %s from %I', pg_catalog.pg_get_userbyid(d.defaclrole),
                         case when n.oid is null then '' else pg_catalog.format(' in schema %I', n.nspname) end,
                         case d.defaclobjtype when 'S' then 'sequences' when 'r' then 'tables' when 'f' then 'functions'
                              when 'T' then 'types' else 'schemas' end, role.rolname)
from role, pg_catalog.pg_default_acl d
left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
where exists (select from pg_catalog.aclexplode(d.defaclacl) x where x.grantee = (select oid from role))
union all
select pg_catalog.format('revoke all on schema %I from %I', n.nspname, role.rolname)
from role, pg_catalog.pg_namespace n
where exists (select from pg_catalog.aclexplode(n.nspacl) x where x.grantee = (select oid from role))
union all
select pg_catalog.format('revoke all on database %I from %I', d.datname, role.rolname)
from role, pg_catalog.pg_database d
where exists (select from pg_catalog.aclexplode(d.datacl) x where x.grantee = (select oid from role))
