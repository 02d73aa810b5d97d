-- Functions, procedures and aggregates. A body that is mere text is told by its hash: it may be long, and may hold
-- what must not be shown.
select 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid as class, p.oid as object,
       case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end as kind,
       pg_catalog.format('%I.%I(%s)', s.nspname, p.proname,
           (select pg_catalog.string_agg(pg_catalog.format_type(a.type, null), ', ' order by a.position)
            from pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) with ordinality a (type, position))) as name,
       null::pg_catalog.text as of,
       pg_catalog.pg_get_function_arguments(p.oid) as arguments,
       pg_catalog.pg_get_function_result(p.oid) as result,
       l.lanname::pg_catalog.text as language,
       case p.prokind when 'w' then 'yes' end as "window function",
       case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility,
       case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end as parallel,
       case when p.proisstrict then 'yes' end as strict,
       case when p.prosecdef then 'definer' else 'invoker' end as security,
       case when p.proleakproof then 'yes' end as leakproof,
       p.procost::pg_catalog.text as cost,
       p.prorows::pg_catalog.text as rows,
       case when p.prosupport <> 0 then p.prosupport::pg_catalog.text end as support,
       (select pg_catalog.string_agg(c, ', ' order by c collate "C") from pg_catalog.unnest(p.proconfig) c) as settings,
       pg_catalog.md5(p.prosrc) as body,
       pg_catalog.pg_get_function_sqlbody(p.oid) as "sql body",
       p.probin as library,
       (select pg_catalog.string_agg(pg_catalog.format_type(t, null), ', ') from pg_catalog.unnest(p.protrftypes) t) as transforms,
       case when g.aggfnoid is not null then pg_catalog.concat_ws(' ', g.aggkind, g.aggnumdirectargs, g.aggtransfn, g.aggfinalfn,
           g.aggcombinefn, g.aggserialfn, g.aggdeserialfn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn, g.aggfinalextra,
           g.aggmfinalextra, g.aggfinalmodify, g.aggmfinalmodify, g.aggsortop::pg_catalog.regoperator,
           pg_catalog.format_type(g.aggtranstype, null), g.aggtransspace,
           pg_catalog.format_type(nullif(g.aggmtranstype, 0), null), g.aggmtransspace,
           pg_catalog.quote_nullable(g.agginitval), pg_catalog.quote_nullable(g.aggminitval)) end as aggregate,
       d.description as comment,
       pg_catalog.pg_get_userbyid(p.proowner)::pg_catalog.text as owner,
       (select pg_catalog.string_agg(coalesce(r.rolname, 'PUBLIC') || '=' || e.privilege_type
                   || case when e.is_grantable then '*' else '' end, ', ' order by r.rolname, e.privilege_type)
        from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) e
        left join pg_catalog.pg_roles r on r.oid = e.grantee
        where e.grantee <> p.proowner and coalesce(r.rolname, '') !~ '^azure2neon_') as privileges
from pg_catalog.pg_proc p
join user_schema s on s.oid = p.pronamespace
join pg_catalog.pg_language l on l.oid = p.prolang
left join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid
left join pg_catalog.pg_description d
    on d.objoid = p.oid and d.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objsubid = 0
where not exists (
        select from pg_catalog.pg_depend x
        where x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and x.objid = p.oid and x.deptype = 'e')
  -- A range type brings its own constructors.
  and not exists (
        select from pg_catalog.pg_depend x
        where x.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and x.objid = p.oid and x.deptype = 'i')
