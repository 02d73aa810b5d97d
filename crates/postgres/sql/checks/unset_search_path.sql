-- Functions of the user's, in a language that looks names up when it runs, that indexes, constraints, defaults of generated columns or
-- row triggers which fire for replicated rows call, and that set no search_path.
select distinct p.oid::pg_catalog.regprocedure::pg_catalog.text as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_depend u
join pg_catalog.pg_proc p on p.oid = u.refobjid and u.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
join user_schema n on n.oid = p.pronamespace
join pg_catalog.pg_language l on l.oid = p.prolang
where l.lanname in ('sql', 'plpgsql')
  and not exists (select from pg_catalog.unnest(p.proconfig) c where c ~ '^search_path=')
  and (
      u.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and exists (select from pg_catalog.pg_class i where i.oid = u.objid and i.relkind in ('i', 'I'))
      or u.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
        and exists (select from pg_catalog.pg_constraint k where k.oid = u.objid and k.contype = 'c')
      or u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
        and exists (
            select from pg_catalog.pg_attrdef d
            join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum and a.attgenerated <> ''
            where d.oid = u.objid))
