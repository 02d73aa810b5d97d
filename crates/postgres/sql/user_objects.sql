-- What a user made in the database, each as "kind name". The provider's own is a superuser's; what belongs to an extension is
-- told as the extension.
select o.kind || ' ' || o.name as object
from (
    select 'schema' as kind, s.nspname::pg_catalog.text as name, 'pg_catalog.pg_namespace'::pg_catalog.regclass as class, s.oid
    from user_schema s
    where s.nspname <> 'public'
    union all
    select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end,
           pg_catalog.format('%I.%I', s.nspname, c.relname), 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid
    from pg_catalog.pg_class c
    join user_schema s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    union all
    select 'function', pg_catalog.format('%I.%I', s.nspname, p.proname), 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid
    from pg_catalog.pg_proc p
    join user_schema s on s.oid = p.pronamespace
    union all
    select 'type', pg_catalog.format('%I.%I', s.nspname, t.typname), 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
    from pg_catalog.pg_type t
    join user_schema s on s.oid = t.typnamespace
    where t.typtype in ('d', 'e', 'r') or exists (select from pg_catalog.pg_class c where c.oid = t.typrelid and c.relkind = 'c')
    union all
    select 'extension', e.extname::pg_catalog.text, 'pg_catalog.pg_extension'::pg_catalog.regclass, e.oid
    from pg_catalog.pg_extension e
    join pg_catalog.pg_roles o on o.oid = e.extowner
    where not o.rolsuper
    union all
    select 'publication', p.pubname::pg_catalog.text, 'pg_catalog.pg_publication'::pg_catalog.regclass, p.oid
    from pg_catalog.pg_publication p
    union all
    select 'subscription', s.subname::pg_catalog.text, 'pg_catalog.pg_subscription'::pg_catalog.regclass, s.oid
    from pg_catalog.pg_subscription s
    join pg_catalog.pg_database d on d.oid = s.subdbid
    where d.datname = pg_catalog.current_database()
) o
where not exists (select from pg_catalog.pg_depend d where d.classid = o.class and d.objid = o.oid and d.deptype = 'e')
order by o.kind collate "C", o.name collate "C"
