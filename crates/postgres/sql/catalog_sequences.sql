-- Sequences without their values, which are carried over and checked by themselves.
select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid as class, r.oid as object,
       'sequence' as kind, r.name, null::pg_catalog.text as of,
       pg_catalog.format_type(q.seqtypid, null) as type,
       q.seqstart::pg_catalog.text as start,
       q.seqincrement::pg_catalog.text as increment,
       q.seqmin::pg_catalog.text as minimum,
       q.seqmax::pg_catalog.text as maximum,
       q.seqcache::pg_catalog.text as cache,
       case when q.seqcycle then 'yes' else 'no' end as cycle,
       o.refobjid::pg_catalog.regclass || '.' || pg_catalog.quote_ident(a.attname) as "owned by",
       case c.relpersistence when 'u' then 'unlogged' else 'logged' end as persistence,
       d.description as comment,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text as owner,
       case when c.relacl is not null then
           (select pg_catalog.string_agg(coalesce(g.rolname, 'PUBLIC') || '=' || e.privilege_type
                       || case when e.is_grantable then '*' else '' end, ', ' order by g.rolname, e.privilege_type)
            from pg_catalog.aclexplode(c.relacl) e left join pg_catalog.pg_roles g on g.oid = e.grantee
            where e.grantee <> c.relowner and coalesce(g.rolname, '') !~ '^azure2neon_') end as privileges
from relation r
join pg_catalog.pg_class c on c.oid = r.oid
join pg_catalog.pg_sequence q on q.seqrelid = r.oid
left join pg_catalog.pg_depend o
    on o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.objid = r.oid and o.deptype in ('a', 'i')
       and o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.refobjsubid > 0
left join pg_catalog.pg_attribute a on a.attrelid = o.refobjid and a.attnum = o.refobjsubid
left join pg_catalog.pg_description d
    on d.objoid = r.oid and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = 0
where r.kind = 'S'
