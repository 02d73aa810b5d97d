-- Sessions of this database that have been in a transaction for more than ten seconds, the oldest first.
select pg_catalog.format('pid %s (%s/%s) for %s s%s', a.pid, a.usename, coalesce(a.application_name, ''),
         pg_catalog.extract('epoch', pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.int8,
         case when a.backend_xid is null then '' else ', which has written' end)
from pg_catalog.pg_stat_activity a
where a.datname = pg_catalog.current_database()
  and a.backend_type = 'client backend'
  and a.pid <> pg_catalog.pg_backend_pid()
  and a.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => 10)
order by a.xact_start
