select n.nspname::pg_catalog.text as schema, c.relname::pg_catalog.text as name,
       pg_catalog.pg_table_size(c.oid) as bytes,
       pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8 as blocks,
       c.reltuples::pg_catalog.float8 as estimated_rows,
       coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::pg_catalog.int8 as file,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
           + pg_catalog.pg_stat_get_tuples_deleted(c.oid) as writes,
       (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                   'columns', k.columns, 'ordered', k.ordered, 'correlation', k.correlation)
               order by i.indisprimary desc, k.ordered desc, i.indnkeyatts, i.indexrelid), '[]')::pg_catalog.text
        from pg_catalog.pg_index i
        cross join lateral (
            select pg_catalog.json_agg(a.attname order by at.position) as columns,
                   -- its order is the same on every server, and a range of it is found in the index
                   pg_catalog.bool_and(i.indoption[at.position - 1] = 0 and o.opcdefault and (
                       i.indcollation[at.position - 1] in (0, 950, 951)
                       or i.indcollation[at.position - 1] = 100 and d.datcollate in ('C', 'POSIX')
                           and coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') = 'c')) as ordered,
                   pg_catalog.bool_and(a.attnotnull) as not_null,
                   pg_catalog.max(s.correlation) filter (where at.position = 1) as correlation
            from pg_catalog.generate_series(1, i.indnkeyatts::pg_catalog.int4) at (position)
            join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[at.position - 1]
            join pg_catalog.pg_opclass o on o.oid = i.indclass[at.position - 1]
            join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
            left join pg_catalog.pg_stats s
                on at.position = 1 and s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname and not s.inherited
        ) k
        where i.indrelid = c.oid and i.indisunique and i.indimmediate and i.indisvalid and i.indisready
          and i.indpred is null and i.indexprs is null and k.not_null) as keys
from rows from (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) w (schema, name)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
