-- Extensions that run jobs by themselves.
select e.extname::pg_catalog.text as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_extension e
where e.extname in ('pg_cron', 'pgagent', 'pg_timetable')
