-- Roles that own something here or were granted something, but for the login that looks and for superusers.
select r.rolname::pg_catalog.text as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_roles r
where not r.rolsuper
  and r.rolname !~ '^(pg_|azure2neon_)'
  and r.rolname <> session_user
  and exists (
      select from pg_catalog.pg_shdepend s
      join pg_catalog.pg_database d on d.oid = s.dbid
      where d.datname = pg_catalog.current_database()
        and s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
        and s.refobjid = r.oid
        and s.deptype in ('o', 'a'))
