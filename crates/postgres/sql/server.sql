-- How much of the server is in use.
select pg_catalog.pg_is_in_recovery() as in_recovery,
       pg_catalog.pg_backend_pid() as pid,
       (select pg_catalog.count(*) from pg_catalog.pg_replication_slots) as slots,
       (select pg_catalog.count(*) from pg_catalog.pg_stat_replication) as senders,
       (select pg_catalog.count(*) from pg_catalog.pg_stat_subscription s where s.pid is not null) as workers,
       -- Whether the size of a database may be asked for decides the server for each.
       (select coalesce(pg_catalog.sum(pg_catalog.pg_database_size(d.oid)), 0)::pg_catalog.int8
        from pg_catalog.pg_database d
        where pg_catalog.has_database_privilege(d.oid, 'connect') or pg_catalog.pg_has_role('pg_read_all_stats', 'usage')) as databases_bytes,
       (select coalesce(pg_catalog.max(pg_catalog.pg_wal_lsn_diff(
                   case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn() else pg_catalog.pg_current_wal_lsn() end,
                   s.restart_lsn)), 0)::pg_catalog.int8
        from pg_catalog.pg_replication_slots s) as held_bytes
