-- Clients of this database whose sessions are not encrypted; a pooler on the server itself aside.
select pg_catalog.format('%s as %s', coalesce(nullif(a.application_name, ''), a.client_addr::pg_catalog.text), a.usename) as object,
       0::pg_catalog.int8 as bytes
from pg_catalog.pg_stat_ssl s
join pg_catalog.pg_stat_activity a on a.pid = s.pid
where a.datname = pg_catalog.current_database()
  and a.backend_type = 'client backend'
  and not (s.ssl or a.client_addr <<= '127.0.0.0/8')
group by a.application_name, a.client_addr, a.usename
