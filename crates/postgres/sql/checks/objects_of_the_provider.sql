-- What roles of the provider own in the user's schemas; the schema public is theirs everywhere.
select o.kind || ' ' || o.name || ' (' || pg_catalog.pg_get_userbyid(o.owner) || ')' as object, o.bytes, o.relation
from (
    select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' when 'f' then 'foreign table'
             else 'table' end as kind,
           pg_catalog.format('%I.%I', n.nspname, c.relname) as name, c.relowner as owner,
           'pg_catalog.pg_class'::pg_catalog.regclass as class, c.oid, c.oid as relation,
           case when c.relkind in ('r', 'm') then pg_catalog.pg_total_relation_size(c.oid) else 0 end as bytes
    from pg_catalog.pg_class c
    join user_schema n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
       or c.relkind = 'S' and not exists (
           select from pg_catalog.pg_depend a
           where a.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and a.objid = c.oid
             and a.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and a.deptype in ('a', 'i'))
    union all
    select 'function', p.oid::pg_catalog.regprocedure::pg_catalog.text, p.proowner,
           'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, null, 0
    from pg_catalog.pg_proc p
    join user_schema n on n.oid = p.pronamespace
    union all
    select 'type', pg_catalog.format('%I.%I', n.nspname, t.typname), t.typowner, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, null, 0
    from pg_catalog.pg_type t
    join user_schema n on n.oid = t.typnamespace
    where t.typtype in ('d', 'e', 'r')
    union all
    select 'schema', pg_catalog.quote_ident(s.nspname), x.nspowner, 'pg_catalog.pg_namespace'::pg_catalog.regclass, s.oid, null, 0
    from user_schema s
    join pg_catalog.pg_namespace x on x.oid = s.oid
    where s.nspname <> 'public'
) o
join pg_catalog.pg_roles r on r.oid = o.owner
where r.rolname ~ '^(azure_|azuresu$)'
  and not exists (select from pg_catalog.pg_depend e where e.classid = o.class and e.objid = o.oid and e.deptype = 'e')
