-- Indexes without a constraint of their own.
select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid as class, r.oid as object,
       'index' as kind, r.name, t.name as of,
       pg_catalog.replace(pg_catalog.pg_get_indexdef(r.oid), ' ON ONLY ', ' ON ') as definition,
       nullif(pg_catalog.concat_ws(', ', case when not i.indisvalid then 'invalid' end, case when not i.indisready then 'not ready' end), '')
           as validity,
       h.inhparent::pg_catalog.regclass::pg_catalog.text as "partition of",
       p.spcname::pg_catalog.text as tablespace,
       (select pg_catalog.string_agg(a.attnum || ' ' || a.attstattarget, ', ' order by a.attnum)
        from pg_catalog.pg_attribute a
        where i.indexprs is not null and a.attrelid = r.oid and a.attstattarget >= 0) as "statistics targets",
       d.description as comment
from relation r
join pg_catalog.pg_index i on i.indexrelid = r.oid
join relation t on t.oid = i.indrelid
join pg_catalog.pg_class c on c.oid = r.oid
left join pg_catalog.pg_inherits h on h.inhrelid = r.oid
left join pg_catalog.pg_tablespace p on p.oid = c.reltablespace
left join pg_catalog.pg_description d
    on d.objoid = r.oid and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = 0
where r.kind in ('i', 'I')
  and not exists (select from pg_catalog.pg_constraint k where k.conindid = r.oid and k.contype in ('p', 'u', 'x'))
