select n.nspname::pg_catalog.text as schema, c.relname::pg_catalog.text as name, r.srsubstate::pg_catalog.text as state
from pg_catalog.pg_subscription_rel r
join pg_catalog.pg_class c on c.oid = r.srrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where r.srsubid = $1
order by n.nspname collate "C", c.relname collate "C"
