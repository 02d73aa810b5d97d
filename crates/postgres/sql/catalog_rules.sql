-- Policies, rules and statistics objects of tables.
select 'pg_catalog.pg_policy'::pg_catalog.regclass::pg_catalog.oid as class, p.oid as object,
       'policy' as kind, pg_catalog.format('%s.%I', r.name, p.polname) as name, r.name as of,
       null::pg_catalog.text as definition,
       case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
       case when p.polpermissive then 'permissive' else 'restrictive' end as manner,
       (select pg_catalog.string_agg(coalesce(g.rolname, 'PUBLIC'), ', ' order by g.rolname)
        from pg_catalog.unnest(p.polroles) o left join pg_catalog.pg_roles g on g.oid = o) as roles,
       pg_catalog.pg_get_expr(p.polqual, p.polrelid) as "using",
       pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as "with check",
       null::pg_catalog.text as "firing mode",
       null::pg_catalog.text as "statistics target",
       null::pg_catalog.text as owner,
       d.description as comment
from relation r
join pg_catalog.pg_policy p on p.polrelid = r.oid
left join pg_catalog.pg_description d
    on d.objoid = p.oid and d.classoid = 'pg_catalog.pg_policy'::pg_catalog.regclass and d.objsubid = 0
union all
select 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid, w.oid,
       'rule', pg_catalog.format('%s.%I', r.name, w.rulename), r.name,
       pg_catalog.pg_get_ruledef(w.oid), null, null, null, null, null,
       case w.ev_enabled when 'D' then 'disabled' when 'A' then 'always' when 'R' then 'replica' else 'origin' end,
       null, null, d.description
from relation r
join pg_catalog.pg_rewrite w on w.ev_class = r.oid and w.rulename <> '_RETURN'
left join pg_catalog.pg_description d
    on d.objoid = w.oid and d.classoid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objsubid = 0
union all
select 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass::pg_catalog.oid, x.oid,
       'statistics', pg_catalog.format('%I.%I', s.nspname, x.stxname), r.name,
       pg_catalog.pg_get_statisticsobjdef(x.oid), null, null, null, null, null, null,
       nullif(x.stxstattarget, -1)::pg_catalog.text,
       pg_catalog.pg_get_userbyid(x.stxowner)::pg_catalog.text, d.description
from relation r
join pg_catalog.pg_statistic_ext x on x.stxrelid = r.oid
join user_schema s on s.oid = x.stxnamespace
left join pg_catalog.pg_description d
    on d.objoid = x.oid and d.classoid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass and d.objsubid = 0
