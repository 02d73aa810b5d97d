-- Constraints of tables and domains, each with its index. NOT NULL is told by the column: only newer servers have a constraint
-- for it. A foreign key of a partition is its parent's, under a name that the server chose.
select 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid as class, k.oid as object,
       'constraint' as kind, pg_catalog.format('%s.%I', o.name, k.conname) as name, o.name as of,
       case when y.domain is not null then 'domain' end as on,
       pg_catalog.pg_get_constraintdef(k.oid) as definition,
       nullif(pg_catalog.concat_ws(', ', case when not i.indisvalid then 'invalid' end, case when not i.indisready then 'not ready' end), '')
           as "index validity",
       (select pg_catalog.string_agg(o, ', ' order by o collate "C") from pg_catalog.unnest(x.reloptions) o) as "index options",
       p.spcname::pg_catalog.text as tablespace,
       nullif(f.modes, 'on') as "firing mode",
       d.description as comment,
       e.description as "index comment"
from pg_catalog.pg_constraint k
left join relation r on r.oid = k.conrelid
left join lateral (
    select pg_catalog.format('%I.%I', s.nspname, t.typname) as domain
    from pg_catalog.pg_type t
    join user_schema s on s.oid = t.typnamespace
    where t.oid = k.contypid
      and not exists (
          select from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid = t.oid and d.deptype = 'e')
) y on true
cross join lateral (select coalesce(r.name, y.domain) as name) o
left join pg_catalog.pg_index i on i.indexrelid = k.conindid and k.contype in ('p', 'u', 'x')
left join pg_catalog.pg_class x on x.oid = i.indexrelid
left join pg_catalog.pg_tablespace p on p.oid = x.reltablespace
left join (
    select t.tgconstraint,
           pg_catalog.string_agg(distinct case t.tgenabled when 'D' then 'disabled' when 'A' then 'always' when 'R' then 'replica'
                                 else 'on' end, ', ') as modes
    from pg_catalog.pg_trigger t
    where t.tgisinternal and t.tgconstraint <> 0
    group by t.tgconstraint
) f on f.tgconstraint = k.oid
left join pg_catalog.pg_description d
    on d.objoid = k.oid and d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and d.objsubid = 0
left join pg_catalog.pg_description e
    on e.objoid = x.oid and e.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objsubid = 0
where o.name is not null
  and k.contype not in ('n', 't')
  and not (k.contype = 'f' and k.conparentid <> 0)
