-- Roles whose own setting beats the database's.
select distinct r.rolname::pg_catalog.text
from pg_catalog.pg_db_role_setting s
join pg_catalog.pg_roles r on r.oid = s.setrole
cross join lateral pg_catalog.unnest(s.setconfig) c (setting)
where (s.setdatabase = 0 or s.setdatabase = (select d.oid from pg_catalog.pg_database d where d.datname = $1))
  and c.setting ~ '^default_transaction_read_only='
  and pg_catalog.lower(pg_catalog.split_part(c.setting, '=', 2)) not in ('on', 'true', 'yes', '1')
order by 1
