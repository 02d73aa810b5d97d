select pg_catalog.format('%s tables, %s MB of rows, %s MB of indexes, %s indexes (%s GIN), %s foreign keys',
    pg_catalog.count(*), pg_catalog.round(pg_catalog.sum(pg_catalog.pg_table_size(c.oid)) / 1048576),
    pg_catalog.round(pg_catalog.sum(pg_catalog.pg_indexes_size(c.oid)) / 1048576),
    pg_catalog.sum((select pg_catalog.count(*) from pg_catalog.pg_index i where i.indrelid = c.oid)),
    pg_catalog.sum((select pg_catalog.count(*) from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
                    join pg_catalog.pg_am a on a.oid = x.relam and a.amname = 'gin' where i.indrelid = c.oid)),
    pg_catalog.sum((select pg_catalog.count(*) from pg_catalog.pg_constraint f where f.contype = 'f' and f.conrelid = c.oid)))
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
