select c.relkind::pg_catalog.text as kind, n.nspname::pg_catalog.text as schema, c.relname::pg_catalog.text as name,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text as owner
from pg_catalog.pg_class c
join user_schema n on n.oid = c.relnamespace
where c.relkind in ('S', 'f')
  and c.relpersistence <> 't'
  and not exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e')
order by n.nspname collate "C", c.relname collate "C"
