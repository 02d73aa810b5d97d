-- What ALTER DEFAULT PRIVILEGES left, but for what the provider's roles grant each other.
select distinct pg_catalog.format('%s of %s%s to %s',
         case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
           when 'n' then 'schemas' else 'large objects' end,
         o.rolname, coalesce(' in ' || n.nspname, ''), coalesce(g.rolname, 'everybody')) as object,
       0::pg_catalog.int8 as bytes
from pg_catalog.pg_default_acl d
join pg_catalog.pg_roles o on o.oid = d.defaclrole
left join user_schema n on n.oid = d.defaclnamespace
cross join lateral pg_catalog.aclexplode(d.defaclacl) a
left join pg_catalog.pg_roles g on g.oid = a.grantee
where (d.defaclnamespace = 0 or n.oid is not null)
  and not o.rolsuper
  and o.rolname !~ '^(azure_|azuresu$)'
  and a.grantee <> d.defaclrole
  and coalesce(g.rolname, '') !~ '^azure2neon_'
