-- Functions that only a superuser may create, and that no extension made. Whoever made an aggregate, its language is internal.
select pg_catalog.format('%s (%s)', p.oid::pg_catalog.regprocedure, l.lanname) as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_proc p
join user_schema n on n.oid = p.pronamespace
join pg_catalog.pg_language l on l.oid = p.prolang
where not l.lanpltrusted
  and l.lanname <> 'sql'
  and p.prokind <> 'a'
  and not exists (
    select from pg_catalog.pg_depend x
    where x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and x.objid = p.oid and x.deptype = 'e')
