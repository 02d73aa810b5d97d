-- Rules but those that make views.
select pg_catalog.format('%I on %I.%I', r.rulename, n.nspname, c.relname) as object, 0::pg_catalog.int8 as bytes, c.oid as relation
from pg_catalog.pg_rewrite r
join pg_catalog.pg_class c on c.oid = r.ev_class
join user_schema n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f')
  and r.rulename <> '_RETURN'
