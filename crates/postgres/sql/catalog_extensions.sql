-- Schemas, extensions and event triggers. An owner that is a superuser is the provider's: no user of a managed server is one.
select o.class, o.object, o.kind, o.name, null::pg_catalog.text as of,
       o.version, o.schema, o.definition, o.firing as "firing mode",
       -- What an extension says of itself is its own.
       case when o.kind <> 'extension' then d.description end as comment,
       case when r.rolsuper then 'superuser ' else '' end || r.rolname as owner,
       case when o.acl is not null then
           (select pg_catalog.string_agg(coalesce(g.rolname, 'PUBLIC') || '=' || e.privilege_type
                       || case when e.is_grantable then '*' else '' end, ', ' order by g.rolname, e.privilege_type)
            from pg_catalog.aclexplode(o.acl) e left join pg_catalog.pg_roles g on g.oid = e.grantee
            where e.grantee <> o.owner and coalesce(g.rolname, '') !~ '^azure2neon_') end as privileges
from (
    select 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid as class, n.oid as object,
           'schema' as kind, pg_catalog.quote_ident(s.nspname) as name,
           null::pg_catalog.text as version, null::pg_catalog.text as schema, null::pg_catalog.text as definition,
           null::pg_catalog.text as firing, n.nspowner as owner, n.nspacl as acl
    from user_schema s
    join pg_catalog.pg_namespace n on n.oid = s.oid
    union all
    select 'pg_catalog.pg_extension'::pg_catalog.regclass, e.oid, 'extension', pg_catalog.quote_ident(e.extname),
           e.extversion, e.extnamespace::pg_catalog.regnamespace::pg_catalog.text, null, null, e.extowner, null
    from pg_catalog.pg_extension e
    union all
    select 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, t.oid, 'event trigger', pg_catalog.quote_ident(t.evtname), null, null,
           pg_catalog.concat_ws(' ', t.evtevent, t.evtfoid::pg_catalog.regprocedure, pg_catalog.array_to_string(t.evttags, ', ')),
           case t.evtenabled when 'D' then 'disabled' when 'A' then 'always' when 'R' then 'replica' else 'origin' end, t.evtowner, null
    from pg_catalog.pg_event_trigger t
) o
join pg_catalog.pg_roles r on r.oid = o.owner
left join pg_catalog.pg_description d on d.objoid = o.object and d.classoid = o.class and d.objsubid = 0
where not exists (
    select from pg_catalog.pg_depend x where x.classid = o.class and x.objid = o.object and x.deptype = 'e')
