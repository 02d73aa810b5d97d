-- Sessions of this server that hold up a new slot.
select pg_catalog.format('pid %s (%s/%s in %s, since %s)', a.pid, a.usename, coalesce(a.application_name, ''), a.datname,
         pg_catalog.date_trunc('second', a.xact_start)) as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_stat_activity a
where a.backend_type = 'client backend'
  and a.pid <> pg_catalog.pg_backend_pid()
  and a.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(mins => 1)
