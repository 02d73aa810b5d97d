-- What raises the fence once the database is closed. One message, since each round trip is part of the outage: ends every session
-- that is not ours, until none is left that began before; then nobody writes any more, so that the sequences stand still, and the
-- marker is the last row of all. Where it isn't said who is ours (null), this is a rehearsal: nobody is ended.
do $fence$
declare
  own pg_catalog.int4[] := nullif(pg_catalog.current_setting('azure2neon.own'), '')::pg_catalog.int4[];
  raised_at pg_catalog.timestamptz := pg_catalog.clock_timestamp();
  patience pg_catalog.interval := pg_catalog.current_setting('azure2neon.patience')::pg_catalog.interval;
  starting pg_catalog.int4[];
  ended pg_catalog.int4[] := '{}';
  spared pg_catalog.text[] := '{}';
  here pg_catalog.text[];
  rounds pg_catalog.int4 := 0;
  found record;
  name pg_catalog.text;
  value pg_catalog.jsonb;
  sequences pg_catalog.jsonb := '[]';
begin
  -- A session that is being opened holds this lock until its settings are read and it shows in pg_stat_activity: it may have missed
  -- that the database was closed.
  select pg_catalog.array_agg(l.pid) into starting from pg_catalog.pg_locks l
  where l.locktype = 'object' and l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass and l.mode = 'RowExclusiveLock'
    and l.objid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and l.pid <> pg_catalog.pg_backend_pid();
  loop
    rounds := rounds + 1;
    if starting <> '{}' then
      select pg_catalog.array_agg(l.pid) into starting from pg_catalog.pg_locks l
      where l.locktype = 'object' and l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass and l.mode = 'RowExclusiveLock'
        and l.objid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
        and l.pid = any (starting);
    end if;
    perform pg_catalog.pg_stat_clear_snapshot();
    here := '{}';
    -- What the role may not see of a session (it lacks pg_read_all_stats) counts against the session. Replication's own processes stay.
    for found in
      select a.pid, coalesce(r.rolsuper, false) as is_superuser,
             pg_catalog.format('%s/%s', a.usename, coalesce(a.application_name, '')) as who
      from pg_catalog.pg_stat_activity a
      left join pg_catalog.pg_roles r on r.oid = a.usesysid
      where a.datname = pg_catalog.current_database()
        and a.usename is not null
        and a.pid <> all (own)
        and a.pid <> pg_catalog.pg_backend_pid()
        and coalesce(a.backend_type, 'client backend') not in ('walsender', 'autovacuum worker', 'parallel worker')
        and coalesce(a.backend_type, 'client backend') not like 'logical replication%'
        and coalesce(a.backend_start <= raised_at, true)
      order by a.pid
    loop
      begin
        perform pg_catalog.pg_terminate_backend(found.pid);
        if found.pid <> all (ended) then
          ended := ended || found.pid;
        end if;
        here := here || pg_catalog.format('pid %s (%s)', found.pid, found.who);
      exception when insufficient_privilege then
        -- The provider's own sessions, which no one may end.
        if not found.is_superuser then
          raise exception 'the session pid % (%) may not be ended: %', found.pid, found.who, sqlerrm using errcode = 'insufficient_privilege';
        end if;
        if found.who <> all (spared) then
          spared := spared || found.who;
        end if;
      end;
    end loop;
    exit when here = '{}' and coalesce(starting, '{}') = '{}';
    if pg_catalog.clock_timestamp() > raised_at + patience then
      raise exception 'after % these sessions are still there: %', patience, pg_catalog.array_to_string(here, ', ')
        using errcode = 'query_canceled';
    end if;
    perform pg_catalog.pg_sleep(0.001);
  end loop;
  -- A prepared transaction outlives its session, and may commit behind the fence.
  select pg_catalog.string_agg(p.gid || ' of ' || p.owner::pg_catalog.text, ', ' order by p.gid) into name
  from pg_catalog.pg_prepared_xacts p where p.database = pg_catalog.current_database();
  if name is not null then
    raise exception 'prepared transactions may commit behind the fence: %; commit or roll them back', name;
  end if;
  foreach name in array pg_catalog.current_setting('azure2neon.sequences')::pg_catalog.text[] loop
    execute 'select pg_catalog.jsonb_build_array(last_value, is_called) from ' || name into strict value;
    sequences := sequences || pg_catalog.jsonb_build_array(value);
  end loop;
  if pg_catalog.current_setting('azure2neon.barrier') <> '' then
    execute 'insert into ' || pg_catalog.current_setting('azure2neon.barrier') || ' (id, sequences) values ($1, $2)'
      using pg_catalog.current_setting('azure2neon.marker'), sequences;
  end if;
  perform pg_catalog.set_config('azure2neon.proof', pg_catalog.jsonb_build_object(
    'ended', pg_catalog.cardinality(ended), 'rounds', rounds, 'spared', spared, 'raised_at', raised_at,
    'proven_at', pg_catalog.clock_timestamp(), 'sequences', sequences)::pg_catalog.text, false);
end
$fence$
