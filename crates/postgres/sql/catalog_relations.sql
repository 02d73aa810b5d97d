-- Tables, views and composite types. The columns behind "of" are the aspects, one each; null where there is nothing to say.
select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid as class, c.oid as object,
       case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' when 'c' then 'type'
           else 'table' end as kind,
       r.name, null::pg_catalog.text as of,
       case c.relkind when 'p' then 'partitioned' when 'c' then 'composite' end as structure,
       case when c.relkind in ('r', 'p', 'm') then case c.relpersistence when 'u' then 'unlogged' else 'logged' end end as persistence,
       m.amname::pg_catalog.text as "access method",
       p.spcname::pg_catalog.text as tablespace,
       (select pg_catalog.string_agg(o, ', ' order by o collate "C") from pg_catalog.unnest(c.reloptions) o) as options,
       (select pg_catalog.string_agg(o, ', ' order by o collate "C") from pg_catalog.unnest(t.reloptions) o) as "toast options",
       nullif(pg_catalog.concat_ws(', ', case when c.relrowsecurity then 'enabled' end,
                                   case when c.relforcerowsecurity then 'forced' end), '') as "row security",
       case c.relreplident when 'n' then 'nothing' when 'f' then 'full' when 'i' then coalesce('index ' || x.identity, 'nothing') end
           as "replica identity",
       x.clustered as "clustered on",
       case when c.reloftype <> 0 then pg_catalog.format_type(c.reloftype, null) end as "of type",
       case when c.relispartition then i.parents || ' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid) end as "partition of",
       case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end as "partition key",
       case when not c.relispartition then i.parents end as inherits,
       a.names as "column order",
       case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) end as definition,
       case when c.relkind = 'm' then case when c.relispopulated then 'yes' else 'no' end end as populated,
       f.server, f.options as "foreign options",
       d.description as comment,
       pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text as owner,
       case when c.relacl is not null then
           (select pg_catalog.string_agg(coalesce(g.rolname, 'PUBLIC') || '=' || e.privilege_type
                       || case when e.is_grantable then '*' else '' end, ', ' order by g.rolname, e.privilege_type)
            from pg_catalog.aclexplode(c.relacl) e left join pg_catalog.pg_roles g on g.oid = e.grantee
            where e.grantee <> c.relowner and coalesce(g.rolname, '') !~ '^azure2neon_') end as privileges
from relation r
join pg_catalog.pg_class c on c.oid = r.oid
left join pg_catalog.pg_class t on t.oid = c.reltoastrelid
left join pg_catalog.pg_am m on m.oid = c.relam and m.amname <> 'heap'
left join pg_catalog.pg_tablespace p on p.oid = c.reltablespace
left join (
    select i.indrelid, pg_catalog.min(x.relname) filter (where i.indisreplident) as identity,
           pg_catalog.min(x.relname) filter (where i.indisclustered) as clustered
    from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
    where i.indisreplident or i.indisclustered
    group by i.indrelid
) x on x.indrelid = c.oid
left join (
    select i.inhrelid, pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::pg_catalog.text, ', ' order by i.inhseqno) as parents
    from pg_catalog.pg_inherits i
    group by i.inhrelid
) i on i.inhrelid = c.oid
left join (
    select a.attrelid, pg_catalog.json_agg(a.attname order by a.attnum)::pg_catalog.text as names
    from pg_catalog.pg_attribute a
    where a.attnum > 0 and not a.attisdropped
    group by a.attrelid
) a on a.attrelid = c.oid
left join (
    select f.ftrelid, s.srvname::pg_catalog.text as server,
           pg_catalog.md5(f.ftoptions::pg_catalog.text) as options
    from pg_catalog.pg_foreign_table f join pg_catalog.pg_foreign_server s on s.oid = f.ftserver
) f on f.ftrelid = c.oid
left join pg_catalog.pg_description d
    on d.objoid = c.oid and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = 0
where r.kind in ('r', 'p', 'v', 'm', 'f', 'c')
