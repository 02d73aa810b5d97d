-- Enums, domains, ranges and base types; a composite type is a relation, an array or a multirange comes with its element.
select 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid as class, t.oid as object,
       case t.typtype when 'd' then 'domain' else 'type' end as kind,
       pg_catalog.format('%I.%I', s.nspname, t.typname) as name, null::pg_catalog.text as of,
       case t.typtype when 'e' then 'enum' when 'r' then 'range' when 'b' then 'base' when 'p' then 'shell' end as structure,
       case when t.typtype = 'd' then pg_catalog.format_type(t.typbasetype, t.typtypmod) end as type,
       case when t.typtype = 'd' then coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 0), t.typdefault) end as "default",
       case when t.typtype = 'd' and t.typnotnull then 'not null' end as nullability,
       case when t.typtype = 'd' and t.typcollation <> b.typcollation then t.typcollation::pg_catalog.regcollation::pg_catalog.text end
           as collation,
       (select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder)::pg_catalog.text
        from pg_catalog.pg_enum e where e.enumtypid = t.oid) as labels,
       case when g.rngtypid is not null then pg_catalog.concat_ws(' ', pg_catalog.format_type(g.rngsubtype, null),
           g.rngmultitypid::pg_catalog.regtype, c.opcname, nullif(g.rngcollation, 0)::pg_catalog.regcollation,
           g.rngcanonical, g.rngsubdiff) end as range,
       case when t.typtype = 'b' then pg_catalog.concat_ws(' ', t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout,
           t.typanalyze, t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory, t.typispreferred, t.typdelim) end as base,
       d.description as comment,
       pg_catalog.pg_get_userbyid(t.typowner)::pg_catalog.text as owner,
       case when t.typacl is not null then
           (select pg_catalog.string_agg(coalesce(r.rolname, 'PUBLIC') || '=' || e.privilege_type
                       || case when e.is_grantable then '*' else '' end, ', ' order by r.rolname, e.privilege_type)
            from pg_catalog.aclexplode(t.typacl) e left join pg_catalog.pg_roles r on r.oid = e.grantee
            where e.grantee <> t.typowner and coalesce(r.rolname, '') !~ '^azure2neon_') else 'PUBLIC=USAGE' end as privileges
from pg_catalog.pg_type t
join user_schema s on s.oid = t.typnamespace
left join pg_catalog.pg_type b on b.oid = t.typbasetype
left join pg_catalog.pg_range g on g.rngtypid = t.oid
left join pg_catalog.pg_opclass c on c.oid = g.rngsubopc
left join pg_catalog.pg_description d
    on d.objoid = t.oid and d.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objsubid = 0
where t.typtype in ('e', 'd', 'r', 'b', 'p')
  and not (t.typcategory = 'A' and t.typelem <> 0 and t.typlen = -1)
  and not exists (
      select from pg_catalog.pg_depend x
      where x.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and x.objid = t.oid and x.deptype = 'e')
