-- Tables of which a fifth and more is dead, by the statistics, and that are worth a VACUUM.
select pg_catalog.format('%I.%I (%s of %s rows)', s.schemaname, s.relname, s.n_dead_tup, s.n_dead_tup + s.n_live_tup) as object,
       pg_catalog.pg_table_size(s.relid) as bytes, s.relid as relation
from pg_catalog.pg_stat_user_tables s
join user_schema n on n.nspname = s.schemaname
where s.n_dead_tup >= 10000
  and s.n_dead_tup * 4 >= s.n_live_tup
