-- Triggers, those of partitions too, since each can be switched by itself; without those that constraints are made of.
select 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid as class, t.oid as object,
       'trigger' as kind, pg_catalog.format('%s.%I', r.name, t.tgname) as name, r.name as of,
       pg_catalog.pg_get_triggerdef(t.oid) as definition,
       case t.tgenabled when 'D' then 'disabled' when 'A' then 'always' when 'R' then 'replica' else 'origin' end as "firing mode",
       d.description as comment
from relation r
join pg_catalog.pg_trigger t on t.tgrelid = r.oid
join pg_catalog.pg_proc f on f.oid = t.tgfoid
left join pg_catalog.pg_description d
    on d.objoid = t.oid and d.classoid = 'pg_catalog.pg_trigger'::pg_catalog.regclass and d.objsubid = 0
-- Up to 14 a partition's trigger counts as internal.
where not t.tgisinternal
   or (t.tgparentid <> 0 and not (f.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
                                  and (f.proname ~ '^RI_FKey_' or f.proname = 'unique_key_recheck')))
