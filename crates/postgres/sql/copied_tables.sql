-- What decides how a table is copied, of the tables with these oids.
with recursive part (relation, type) as (
    -- each column's type with all that it is made of, since the whole travels as its parts do
    select a.attrelid, a.atttypid
    from pg_catalog.pg_attribute a
    where a.attrelid = any ($1) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    union
    select p.relation, inner_type.oid
    from part p
    join pg_catalog.pg_type t on t.oid = p.type
    cross join lateral (
        select t.typbasetype as oid where t.typtype = 'd'
        union all
        select t.typelem where t.typcategory = 'A' and t.typelem <> 0 and t.typlen = -1
        union all
        select r.rngsubtype from pg_catalog.pg_range r where t.oid in (r.rngtypid, r.rngmultitypid)
        union all
        select a.atttypid from pg_catalog.pg_attribute a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) inner_type
),
text_only (relation) as (
    -- A type of an extension may have another binary form in its other version, a reg* type's is an object id of its own server.
    select p.relation
    from part p
    join pg_catalog.pg_type t on t.oid = p.type
    where t.typsend = 0 or t.typreceive = 0 or t.typname ~ '^reg'
       or (t.typtype = 'b' and t.typelem = 0 and t.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)
)
select
    c.oid,
    pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8 as blocks,
    pg_catalog.pg_table_size(c.oid) as data_bytes,
    pg_catalog.pg_indexes_size(c.oid) as index_bytes,
    c.oid not in (select relation from text_only) as binary
from pg_catalog.pg_class c
where c.oid = any ($1)
