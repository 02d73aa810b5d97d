-- Users' triggers that don't fire.
select pg_catalog.format('%I on %I.%I', t.tgname, n.nspname, c.relname) as object, 0::pg_catalog.int8 as bytes, c.oid as relation
from pg_catalog.pg_trigger t
join pg_catalog.pg_class c on c.oid = t.tgrelid
join user_schema n on n.oid = c.relnamespace
where t.tgenabled = 'D'
  and not t.tgisinternal
