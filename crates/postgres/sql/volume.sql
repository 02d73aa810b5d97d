-- How much these tables hold: rows as the planner's statistics have them, tables without such, bytes with TOAST but without indexes,
-- indexes and their bytes.
select coalesce(pg_catalog.sum(greatest(c.reltuples, 0)), 0)::pg_catalog.int8 as rows,
       pg_catalog.count(*) filter (where c.reltuples < 0) as unanalyzed,
       coalesce(pg_catalog.sum(pg_catalog.pg_table_size(c.oid)), 0)::pg_catalog.int8 as bytes,
       (select pg_catalog.count(*) from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
        where i.indrelid = any ($1) and x.relkind = 'i') as indexes,
       coalesce(pg_catalog.sum(pg_catalog.pg_indexes_size(c.oid)), 0)::pg_catalog.int8 as index_bytes
from pg_catalog.pg_class c where c.oid = any ($1) and c.relkind = 'r'
