-- Sessions that may still write: clients of this database from before the fence, the migration's own left out. What the role may
-- not see of a session (it lacks pg_read_all_stats) counts against the session.
select a.pid, a.usename::pg_catalog.text as role, coalesce(a.application_name, '') as application,
       coalesce(r.rolsuper, false) as superuser
from pg_catalog.pg_stat_activity a
left join pg_catalog.pg_roles r on r.oid = a.usesysid
where a.datname = $1
  and a.usename is not null
  and a.pid <> pg_catalog.pg_backend_pid()
  and coalesce(a.backend_type, 'client backend') = 'client backend'
  and coalesce(a.backend_start <= $2::pg_catalog.text::pg_catalog.timestamptz, true)
  and not ($3 <> '' and a.usename = current_user and pg_catalog.starts_with(a.application_name, $3))
order by a.pid
