-- Columns of text that lead an index, or follow in one, in the order of a language, one entry for each column, the largest indexes
-- first, $1 at most: how to read a sample of a table's pages, and the collation.
select k.index, k.table, k.column, k.collated, k.percent
from (
    select pg_catalog.format('%I.%I', n.nspname, i.relname) as index, pg_catalog.format('%I.%I', n.nspname, t.relname) as table,
           pg_catalog.format('%I', a.attname) as column, pg_catalog.format('%I.%I', m.nspname, o.collname) as collated,
           -- Some forty pages of it.
           least(100, 4000.0 / greatest(t.relpages, 1))::pg_catalog.float8 as percent, i.relpages as pages,
           pg_catalog.row_number() over (partition by t.oid, key.attnum, key.collated order by i.relpages desc, i.oid) as place
    from pg_catalog.pg_index x
    join pg_catalog.pg_class i on i.oid = x.indexrelid
    join pg_catalog.pg_am am on am.oid = i.relam and am.amname = 'btree'
    join pg_catalog.pg_class t on t.oid = x.indrelid
    join user_schema n on n.oid = t.relnamespace
    join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
    cross join lateral rows from (
        pg_catalog.unnest(x.indkey::pg_catalog.int2[]), pg_catalog.unnest(x.indcollation::pg_catalog.oid[])) key (attnum, collated)
    join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = key.attnum
    join pg_catalog.pg_collation o on o.oid = key.collated and o.collisdeterministic
    join pg_catalog.pg_namespace m on m.oid = o.collnamespace
    where t.relkind = 'r'
      and not t.relrowsecurity
      and x.indisvalid
      and a.atttypid in ('pg_catalog.text'::pg_catalog.regtype, 'pg_catalog.varchar'::pg_catalog.regtype)
      and pg_catalog.has_column_privilege(t.oid, a.attnum, 'select')
      and pg_catalog.has_schema_privilege(n.oid, 'usage')
      and case coalesce(nullif(o.collprovider::pg_catalog.text, 'd'), pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c')
          when 'b' then false
          when 'i' then true
          else coalesce(nullif(o.collcollate, ''), d.datcollate) not in ('C', 'POSIX', 'C.UTF-8', 'C.utf8') end
) k
where k.place = 1
order by k.pages desc, k.index collate "C"
limit $1::pg_catalog.int8
