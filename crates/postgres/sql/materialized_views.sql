edge (view, reads) as (
    select distinct w.ev_class, d.refobjid
    from pg_catalog.pg_rewrite w
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = w.oid
    join pg_catalog.pg_class c on c.oid = d.refobjid and c.relkind in ('v', 'm')
    where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid <> w.ev_class
),
depth (view, reads, level) as (
    select e.view, e.reads, 1 from edge e
    union
    select d.view, e.reads, d.level + 1 from depth d join edge e on e.view = d.reads
)
select n.nspname::pg_catalog.text as schema, c.relname::pg_catalog.text as name, c.relispopulated as populated,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text as owner
from pg_catalog.pg_class c
join user_schema n on n.oid = c.relnamespace
where c.relkind = 'm'
  and not exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e')
order by coalesce((select pg_catalog.max(d.level) from depth d where d.view = c.oid), 0),
         n.nspname collate "C", c.relname collate "C"
