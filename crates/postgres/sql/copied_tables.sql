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
    c.oid not in (select relation from text_only) as binary,
    key.name as key_column,
    key.histogram as key_histogram
from pg_catalog.pg_class c
left join lateral (
    -- A key by whose ranges the table can be read about as fast as in one go. A row that moves between two ranges is sent without
    -- the values that are kept out of line, so there must be none.
    select a.attname::pg_catalog.text as name, s.histogram_bounds::pg_catalog.text::pg_catalog.int8[] as histogram
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname and not s.inherited
    where i.indrelid = c.oid and i.indisprimary and i.indisvalid and i.indimmediate and c.relreplident = 'd'
      and a.atttypid in ('pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype, 'pg_catalog.int8'::pg_catalog.regtype)
      and abs(s.correlation) > 0.9
      and coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0) = 0
      and pg_catalog.pg_table_size(c.oid) > 65536
    limit 1
) key on true
where c.oid = any ($1)
