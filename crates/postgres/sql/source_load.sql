-- How busy the source is with others than the application of this name, and how far its own replicas are behind.
with session as (
    select a.wait_event_type,
           a.query = '<insufficient privilege>' as hidden,
           -- without a wait it is on a processor, or waits for one
           a.state = 'active' and (a.wait_event_type is null or a.wait_event_type in ('Lock', 'LWLock', 'IO', 'BufferPin', 'IPC')) as busy
    from pg_catalog.pg_stat_activity a
    where a.pid <> pg_catalog.pg_backend_pid() and a.application_name is distinct from $1
      and (a.backend_type = 'client backend' or a.query = '<insufficient privilege>')
),
waits as (
    select s.wait_event_type as kind, pg_catalog.count(*) as sessions
    from session s
    where s.busy and s.wait_event_type is not null
    group by s.wait_event_type
),
replica as (
    select r.state, r.replay_lag, pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn) as bytes
    from pg_catalog.pg_stat_replication r
    left join pg_catalog.pg_replication_slots s on s.active_pid = r.pid
    where r.application_name is distinct from $1 and s.slot_type is distinct from 'logical'
)
select
    (select pg_catalog.count(*) from session s where s.busy) as busy,
    coalesce((select pg_catalog.sum(w.sessions) from waits w), 0)::pg_catalog.int8 as waiting,
    (select pg_catalog.string_agg(pg_catalog.format('%s %s', w.sessions, w.kind), ', ' order by w.sessions desc, w.kind) from waits w) as waits,
    coalesce((select pg_catalog.bool_or(s.hidden) from session s), false) as sessions_hidden,
    coalesce((select pg_catalog.bool_or(r.state is null) from replica r), false) as replicas_hidden,
    (select pg_catalog.max(extract(epoch from r.replay_lag))::pg_catalog.float8 from replica r where r.state = 'streaming') as lag_seconds,
    (select pg_catalog.max(r.bytes)::pg_catalog.int8 from replica r where r.state = 'streaming') as lag_bytes
