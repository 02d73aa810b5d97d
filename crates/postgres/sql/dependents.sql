-- What can't be without the relations $1 (quoted names): their own parts, and whatever needs them directly or through others.
with recursive left_out (oid) as (
    select pg_catalog.to_regclass(name)::pg_catalog.oid from pg_catalog.unnest($1::pg_catalog.text[]) name
),
needing (class, object, origin) as (
    select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, oid, oid from left_out where oid is not null
    union
    select next.class, next.object, n.origin
    from needing n
    cross join lateral (
        select d.classid, d.objid
        from pg_catalog.pg_depend d
        where d.refclassid = n.class and d.refobjid = n.object and d.deptype in ('n', 'a', 'i', 'P', 'S')
        union all
        -- A view is what its rule says.
        select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, w.ev_class
        from pg_catalog.pg_rewrite w
        where n.class = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and w.oid = n.object and w.rulename = '_RETURN'
    ) next (class, object)
),
dependent as (
    select n.class, n.object, pg_catalog.min(n.origin) as origin
    from needing n
    where n.class <> 'pg_catalog.pg_publication_rel'::pg_catalog.regclass
    group by n.class, n.object
),
placed as (
    -- Each with the relation that it is part of, or is.
    select d.*, c.relkind, k.contype,
           coalesce(t.tgisinternal or t.tgparentid <> 0 or k.conparentid <> 0, false) as implied,
           coalesce(i.indrelid, q.owner, k.conrelid, f.adrelid, t.tgrelid, p.polrelid, w.ev_class, s.stxrelid,
                    nullif(y.typrelid, 0), nullif(e.typrelid, 0), c.oid) as relation
    from dependent d
    left join pg_catalog.pg_class c on d.class = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = d.object
    left join pg_catalog.pg_index i on i.indexrelid = c.oid
    left join lateral (
        select o.refobjid as owner
        from pg_catalog.pg_depend o
        where c.relkind = 'S' and o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.objid = c.oid
          and o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.deptype in ('a', 'i')
        limit 1
    ) q on true
    left join pg_catalog.pg_constraint k on d.class = 'pg_catalog.pg_constraint'::pg_catalog.regclass and k.oid = d.object and k.conrelid <> 0
    left join pg_catalog.pg_attrdef f on d.class = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and f.oid = d.object
    left join pg_catalog.pg_trigger t on d.class = 'pg_catalog.pg_trigger'::pg_catalog.regclass and t.oid = d.object
    left join pg_catalog.pg_policy p on d.class = 'pg_catalog.pg_policy'::pg_catalog.regclass and p.oid = d.object
    left join pg_catalog.pg_rewrite w on d.class = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and w.oid = d.object
    left join pg_catalog.pg_statistic_ext s on d.class = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass and s.oid = d.object
    left join pg_catalog.pg_type y on d.class = 'pg_catalog.pg_type'::pg_catalog.regclass and y.oid = d.object
    left join pg_catalog.pg_type e on e.oid = y.typelem and y.typcategory = 'A'
    where coalesce(c.relkind <> 't', true)
),
gone (oid) as (
    select oid from left_out where oid is not null
    union
    select object from placed where relkind in ('v', 'm')
),
told as (
    select p.*,
           case
               when p.relkind in ('v', 'm') then 'view'
               when p.relkind = 'S' then 'sequence'
               when p.implied or p.relation in (select oid from gone)
                   or exists (select from pg_catalog.pg_class c where c.oid = p.relation and c.relkind = 't') then 'part'
               when p.contype = 'f' then 'foreign_key'
               when exists (select from pg_catalog.pg_class c where c.oid = p.relation and c.relkind in ('r', 'p', 'f')) then 'of_other_table'
               else 'object'
           end as kind
    from placed p
)
select t.class, t.object, t.kind,
       n.nspname::pg_catalog.text as schema, c.relname::pg_catalog.text as name,
       coalesce(i.type || ' ' || i.identity, '') as identity,
       pg_catalog.format('%I.%I', origin_schema.nspname, origin.relname) as needs
from told t
join pg_catalog.pg_class origin on origin.oid = t.origin
join pg_catalog.pg_namespace origin_schema on origin_schema.oid = origin.relnamespace
left join pg_catalog.pg_class c on t.class = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = t.object
left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join lateral pg_catalog.pg_identify_object(t.class, t.object, 0) i on t.kind <> 'part'
order by t.kind, i.identity collate "C", t.class, t.object
