-- The extensions $1, each with what hangs on it, directly or through others, and is neither its own nor one of them. $2 are named.
with recursive named as (
    select e.oid, e.extname from pg_catalog.pg_extension e where e.extname = any ($1::pg_catalog.text[])
),
-- What is within an extension: its members, and what can't be without one and belongs to nothing else.
reached (extension, class, object, within) as (
    select n.oid, 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid, n.oid, true from named n
    union
    select r.extension, next.class, next.object, r.within and next.part
    from reached r
    cross join lateral (
        select d.classid, d.objid, d.deptype in ('e', 'a', 'i', 'P', 'S')
        from pg_catalog.pg_depend d
        where d.refclassid = r.class and d.refobjid = r.object
        union all
        -- A view is what its rule says.
        select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, w.ev_class, false
        from pg_catalog.pg_rewrite w
        where r.class = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and w.oid = r.object and w.rulename = '_RETURN'
    ) next (class, object, part)
),
outside as (
    select r.extension, r.class, r.object
    from reached r
    group by r.extension, r.class, r.object
    having not pg_catalog.bool_or(r.within)
),
-- What a dump has a statement of its own for.
told as (
    select o.extension, o.class, o.object, coalesce(c.relkind in ('r', 'p', 'v', 'm', 'f'), false) as first
    from outside o
    left join pg_catalog.pg_class c on o.class = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = o.object
    where case o.class
        when 'pg_catalog.pg_class'::pg_catalog.regclass then c.relkind not in ('t', 'c') and c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace
            and not exists (
                select from pg_catalog.pg_depend d
                where d.classid = o.class and d.objid = o.object
                  and d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and d.deptype = 'i')
        when 'pg_catalog.pg_type'::pg_catalog.regclass then exists (
            select from pg_catalog.pg_type t
            left join pg_catalog.pg_class y on y.oid = t.typrelid
            where t.oid = o.object and coalesce(y.relkind = 'c', t.typtype <> 'm' and not (t.typcategory = 'A' and t.typelem <> 0)))
        when 'pg_catalog.pg_rewrite'::pg_catalog.regclass then exists (
            select from pg_catalog.pg_rewrite w where w.oid = o.object and w.rulename <> '_RETURN')
        when 'pg_catalog.pg_trigger'::pg_catalog.regclass then exists (
            select from pg_catalog.pg_trigger t where t.oid = o.object and not t.tgisinternal)
        when 'pg_catalog.pg_extension'::pg_catalog.regclass then o.object not in (select n.oid from named n)
        when 'pg_catalog.pg_amop'::pg_catalog.regclass then false
        when 'pg_catalog.pg_amproc'::pg_catalog.regclass then false
        when 'pg_catalog.pg_publication_rel'::pg_catalog.regclass then false
        else true
    end
    -- Of another extension the extension itself is told.
    and not exists (
        select from pg_catalog.pg_depend e where e.classid = o.class and e.objid = o.object and e.deptype = 'e')
),
counted as (
    select t.*, pg_catalog.count(*) over (partition by t.extension) as objects,
           pg_catalog.row_number() over (partition by t.extension order by t.first desc, t.class, t.object) as place
    from told t
),
listed as (
    select c.extension, pg_catalog.max(c.objects) as objects, pg_catalog.array_agg(i.type || ' ' || i.identity order by c.place) as names
    from counted c
    cross join lateral pg_catalog.pg_identify_object(c.class, c.object, 0) i
    where c.place <= $2::pg_catalog.int8
    group by c.extension
)
select n.oid as extension, n.extname::pg_catalog.text as name, coalesce(l.objects, 0) as objects, coalesce(l.names, '{}') as names
from named n
left join listed l on l.extension = n.oid
order by n.extname collate "C"
