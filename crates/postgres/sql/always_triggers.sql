select pg_catalog.format('%s.%s.%s', n.nspname, c.relname, t.tgname)
from pg_catalog.pg_trigger t
join pg_catalog.pg_class c on c.oid = t.tgrelid
join user_schema n on n.oid = c.relnamespace
where t.tgenabled in ('A', 'R') and not t.tgisinternal
order by 1
