-- Roles that own something here or were granted something, and their members, but for the login that looks, for superusers and for the
-- provider's; each with what else it has and nobody carries over.
touched (oid) as (
    select distinct s.refobjid
    from pg_catalog.pg_shdepend s
    join pg_catalog.pg_database d on d.oid = s.dbid
    where d.datname = pg_catalog.current_database()
      and s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      and s.deptype in ('o', 'a')
),
concerned (oid) as (
    select r.oid
    from touched t
    join pg_catalog.pg_roles r on r.oid = t.oid
    where not r.rolsuper
    union
    select m.member
    from concerned c
    join pg_catalog.pg_roles g on g.oid = c.oid and g.rolname !~ '^(pg_|azure_)'
    join pg_catalog.pg_auth_members m on m.roleid = c.oid
)
select r.rolname || coalesce(' (' || nullif(pg_catalog.concat_ws(', ',
           case when r.rolcanlogin then 'logs in' end,
           case when r.rolcreaterole then 'creates roles' end,
           case when r.rolcreatedb then 'creates databases' end,
           case when r.rolreplication then 'replicates' end,
           case when r.rolbypassrls then 'bypasses row-level security' end,
           case when r.rolconnlimit >= 0 then pg_catalog.format('%s connections', r.rolconnlimit) end,
           case when r.rolvaliduntil < 'infinity' then 'until ' || pg_catalog.date_trunc('day', r.rolvaliduntil)::pg_catalog.date end,
           'member of ' || (
               select pg_catalog.string_agg(g.rolname, ' and ' order by g.rolname)
               from pg_catalog.pg_auth_members m
               join pg_catalog.pg_roles g on g.oid = m.roleid
               where m.member = r.oid)), '') || ')', '') as object,
       0::pg_catalog.int8 as bytes
from concerned c
join pg_catalog.pg_roles r on r.oid = c.oid
where not r.rolsuper
  and r.rolname !~ '^(pg_|azure_|azure2neon_|azuresu$)'
  and r.rolname <> session_user
