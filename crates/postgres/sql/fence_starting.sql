-- Sessions that are being opened: until its settings are read and it shows in pg_stat_activity, a session holds this lock.
select l.pid
from pg_catalog.pg_locks l
join pg_catalog.pg_database d on d.oid = l.objid
where l.locktype = 'object'
  and l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
  and l.mode = 'RowExclusiveLock'
  and d.datname = $1
  and l.pid is not null
