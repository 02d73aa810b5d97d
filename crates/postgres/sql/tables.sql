base (type, base) as (
    -- every domain with the type beneath it; other types are their own, and every table has two more
    select t.oid, t.typbasetype
    from pg_catalog.pg_type t
    join pg_catalog.pg_type beneath on beneath.oid = t.typbasetype and beneath.typtype <> 'd'
    where t.typtype = 'd'
    union all
    select t.oid, b.base from pg_catalog.pg_type t join base b on b.type = t.typbasetype where t.typtype = 'd'
),
relation as (
    select c.*, n.nspname
    from pg_catalog.pg_class c
    join user_schema n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p')
      and c.relpersistence <> 't'
      and not exists (
          select from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e')
),
part (type, leaf) as (
    -- every column type with all that it is made of, since equality of the whole needs equality of each
    select distinct a.atttypid, a.atttypid
    from relation r
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    union
    select p.type, inner_type.oid
    from part p
    join pg_catalog.pg_type t on t.oid = p.leaf
    cross join lateral (
        select t.typbasetype as oid where t.typtype = 'd'
        union all
        select t.typelem where t.typcategory = 'A' and t.typelem <> 0 and t.typlen = -1
        union all
        select a.atttypid from pg_catalog.pg_attribute a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) inner_type
),
without_equality as (
    select distinct p.type
    from part p
    join pg_catalog.pg_type t on t.oid = p.leaf
    where t.typtype = 'b'
      and not (t.typcategory = 'A' and t.typelem <> 0 and t.typlen = -1)
      and not exists (
          select from pg_catalog.pg_opclass o
          join pg_catalog.pg_am m on m.oid = o.opcmethod
          where m.amname in ('btree', 'hash') and o.opcdefault
            and (o.opcintype = t.oid or exists (
                select from pg_catalog.pg_cast k
                where k.castsource = t.oid and k.casttarget = o.opcintype and k.castmethod = 'b' and k.castcontext = 'i')))
)
select
    r.oid,
    r.nspname::pg_catalog.text as schema,
    r.relname::pg_catalog.text as name,
    r.relkind::pg_catalog.text as kind,
    r.relispartition,
    r.relpersistence::pg_catalog.text as persistence,
    r.relreplident::pg_catalog.text as replica_identity,
    (select x.relname::pg_catalog.text
     from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
     where i.indrelid = r.oid and i.indisreplident
     limit 1) as identity_index,
    exists (
        select from pg_catalog.pg_index i
        where i.indrelid = r.oid and i.indisprimary and i.indisvalid and i.indimmediate) as primary_key,
    (select x.relname::pg_catalog.text
     from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
     where i.indrelid = r.oid and i.indisunique and i.indimmediate and i.indisvalid and i.indisready
       and not i.indisprimary and i.indpred is null and i.indexprs is null
       and not exists (
           select from pg_catalog.unnest(i.indkey::pg_catalog.int2[]) with ordinality k (attnum, position)
           join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum = k.attnum
           where k.position <= i.indnkeyatts and not a.attnotnull)
     order by i.indnkeyatts, x.relname
     limit 1) as unique_index,
    r.relrowsecurity,
    r.relforcerowsecurity,
    coalesce(pg_catalog.pg_total_relation_size(r.oid), 0) as bytes,
    r.reltuples::pg_catalog.float8 as estimated_rows,
    pg_catalog.pg_get_userbyid(r.relowner)::pg_catalog.text as owner,
    not exists (
        select from pg_catalog.pg_attribute a join without_equality w on w.type = a.atttypid
        where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped) as equality,
    up.nspname::pg_catalog.text as parent_schema,
    up.relname::pg_catalog.text as parent_name,
    (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
            'name', a.attname,
            'type_name', pg_catalog.format_type(a.atttypid, a.atttypmod),
            'base_type', case when bn.nspname = 'pg_catalog' then '' else bn.nspname || '.' end || bt.typname,
            'base_kind', bt.typtype,
            'element_type', case when et.oid is not null then
                case when en.nspname = 'pg_catalog' then '' else en.nspname || '.' end || et.typname end,
            'generated', a.attgenerated <> '',
            'collatable', a.attcollation <> 0,
            'not_null', a.attnotnull
        ) order by a.attnum), '[]')::pg_catalog.text
     from pg_catalog.pg_attribute a
     left join base b on b.type = a.atttypid
     join pg_catalog.pg_type bt on bt.oid = coalesce(b.base, a.atttypid)
     join pg_catalog.pg_namespace bn on bn.oid = bt.typnamespace
     left join base eb on eb.type = bt.typelem
     left join pg_catalog.pg_type et on bt.typcategory = 'A' and bt.typlen = -1 and et.oid = coalesce(eb.base, bt.typelem)
     left join pg_catalog.pg_namespace en on en.oid = et.typnamespace
     where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped) as columns
from relation r
left join lateral (
    select pn.nspname, pc.relname
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class pc on pc.oid = i.inhparent
    join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace
    where r.relispartition and i.inhrelid = r.oid
    limit 1
) up on true
order by r.nspname collate "C", r.relname collate "C"
