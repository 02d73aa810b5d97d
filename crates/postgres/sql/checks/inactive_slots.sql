-- Replication slots without a reader, with the WAL that they keep.
select pg_catalog.format('%s (%s)', s.slot_name, coalesce(s.database::pg_catalog.text, 'physical')) as object,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn), 0)::pg_catalog.int8 as bytes
from pg_catalog.pg_replication_slots s
where not s.active
  and not s.temporary
  and s.slot_name !~ '^azure2neon_'
