select pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1)
from pg_catalog.pg_db_role_setting s
join pg_catalog.pg_database d on d.oid = s.setdatabase
cross join lateral pg_catalog.unnest(s.setconfig) c (setting)
where s.setrole = 0 and d.datname = $1 and pg_catalog.starts_with(c.setting, $2 || '=')
