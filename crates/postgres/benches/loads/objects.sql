select pg_catalog.pg_get_indexdef(i.indexrelid) || case when i.indisvalid then '' else ' (invalid)' end
from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^(pg_|information_schema|azure2neon)'
union all
select c.conrelid::pg_catalog.regclass || ' ' || c.conname || ' ' || pg_catalog.pg_get_constraintdef(c.oid)
from pg_catalog.pg_constraint c join pg_catalog.pg_class t on t.oid = c.conrelid join pg_catalog.pg_namespace n on n.oid = t.relnamespace
where c.contype in ('p', 'u', 'f', 'c', 'x') and n.nspname !~ '^(pg_|information_schema|azure2neon)'
