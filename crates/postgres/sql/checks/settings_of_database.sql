-- What ALTER DATABASE SET and ALTER ROLE IN DATABASE SET left.
select pg_catalog.format('%s%s', pg_catalog.split_part(one.setting, '=', 1),
         case when s.setrole = 0 then '' else ' of ' || pg_catalog.pg_get_userbyid(s.setrole) end) as object,
       0::pg_catalog.int8 as bytes
from pg_catalog.pg_db_role_setting s
join pg_catalog.pg_database d on d.oid = s.setdatabase
cross join lateral pg_catalog.unnest(s.setconfig) one (setting)
where d.datname = pg_catalog.current_database()
