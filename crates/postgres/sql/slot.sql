select s.active, s.active_pid, s.confirmed_flush_lsn::pg_catalog.text as confirmed_flush,
       s.restart_lsn::pg_catalog.text as restart_lsn, coalesce(s.wal_status, 'lost') as wal_status,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn), 0)::pg_catalog.int8 as retained_bytes
from pg_catalog.pg_replication_slots s
where s.slot_name = $1
