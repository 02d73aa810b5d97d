select s.oid, s.subenabled as enabled, s.subslotname::pg_catalog.text as slot, s.subpublications as publications,
       w.pid as worker_pid, w.latest_end_lsn::pg_catalog.text as latest_end_lsn
from pg_catalog.pg_subscription s
left join lateral (
    select a.pid, a.latest_end_lsn
    from pg_catalog.pg_stat_subscription a
    where a.subid = s.oid and a.relid is null and a.pid is not null
    order by a.latest_end_lsn desc nulls last
    limit 1
) w on true
where s.subname = $1
  and s.subdbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
