-- Tables whose rows row-level security hides from the role $1: what row_security_active would say for it, without becoming it.
select pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, c.relforcerowsecurity
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_roles r on r.rolname = $1
where c.oid = any ($2)
  and c.relrowsecurity
  and not (r.rolsuper or r.rolbypassrls)
  and not (pg_catalog.pg_has_role(r.oid, c.relowner, 'usage') and not c.relforcerowsecurity)
order by 1
