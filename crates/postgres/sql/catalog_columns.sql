-- Columns of tables and views, attributes of composite types. Two servers of other majors keep "no statistics target" differently.
select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid as class, r.oid as object,
       'column' as kind, pg_catalog.format('%s.%I', r.name, a.attname) as name, r.name as of,
       pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
       case when a.attgenerated = '' then pg_catalog.pg_get_expr(v.adbin, v.adrelid) end as "default",
       case when a.attgenerated <> '' then pg_catalog.pg_get_expr(v.adbin, v.adrelid) end as "generated as",
       case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end as generated,
       -- From 17 on a partition has its parent's, before it has none.
       case when not c.relispartition then case a.attidentity when 'a' then 'always' when 'd' then 'by default' end end as identity,
       case when a.attnotnull then 'not null' end as nullability,
       case when a.attcollation <> t.typcollation then pg_catalog.format('%I.%I', n.nspname, l.collname) end as collation,
       case when a.attstorage <> t.typstorage then
           case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'x' then 'extended' when 'm' then 'main' end end as storage,
       case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end as compression,
       nullif(a.attstattarget, -1)::pg_catalog.text as "statistics target",
       (select pg_catalog.string_agg(o, ', ' order by o collate "C") from pg_catalog.unnest(a.attoptions) o) as options,
       pg_catalog.md5(a.attfdwoptions::pg_catalog.text) as "foreign options",
       d.description as comment,
       case when a.attacl is not null then
           (select pg_catalog.string_agg(coalesce(g.rolname, 'PUBLIC') || '=' || e.privilege_type
                       || case when e.is_grantable then '*' else '' end, ', ' order by g.rolname, e.privilege_type)
            from pg_catalog.aclexplode(a.attacl) e left join pg_catalog.pg_roles g on g.oid = e.grantee
            where e.grantee <> c.relowner and coalesce(g.rolname, '') !~ '^azure2neon_') end as privileges
from relation r
join pg_catalog.pg_class c on c.oid = r.oid
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef v on v.adrelid = a.attrelid and v.adnum = a.attnum
left join pg_catalog.pg_collation l on l.oid = a.attcollation
left join pg_catalog.pg_namespace n on n.oid = l.collnamespace
left join pg_catalog.pg_description d
    on d.objoid = a.attrelid and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = a.attnum
where r.kind in ('r', 'p', 'v', 'm', 'f', 'c')
