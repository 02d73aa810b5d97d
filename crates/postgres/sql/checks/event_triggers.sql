-- Event triggers that no extension made.
select t.evtname::pg_catalog.text as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_event_trigger t
join pg_catalog.pg_proc p on p.oid = t.evtfoid
join user_schema n on n.oid = p.pronamespace
where not exists (
    select from pg_catalog.pg_depend x
    where x.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass and x.objid = t.oid and x.deptype = 'e')
