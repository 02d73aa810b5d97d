-- Tables with row-level security, and whom it hides rows from. Superusers and roles with BYPASSRLS see all.
select pg_catalog.format('%I.%I (%s; hides rows from all but %s)', n.nspname, c.relname,
         case when p.policies > 0 then 'policies for ' || p.roles else 'no policy, so all rows are hidden' end,
         case when c.relforcerowsecurity then 'roles that bypass it, from its owner too' else 'its owner and roles that bypass it' end) as object,
       pg_catalog.pg_total_relation_size(c.oid) as bytes, c.oid as relation
from pg_catalog.pg_class c
join user_schema n on n.oid = c.relnamespace
left join lateral (
    select pg_catalog.count(distinct y.oid) as policies,
           pg_catalog.string_agg(distinct coalesce(g.rolname::pg_catalog.text, 'everybody'), ', ') as roles
    from pg_catalog.pg_policy y
    cross join lateral pg_catalog.unnest(y.polroles) r (role)
    left join pg_catalog.pg_roles g on g.oid = r.role
    where y.polrelid = c.oid
) p on true
where c.relrowsecurity
  and c.relkind in ('r', 'p')
