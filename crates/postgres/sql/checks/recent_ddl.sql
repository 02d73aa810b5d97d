-- DDL that pg_stat_statements counted in this database, by its first two words; nothing where it isn't there. The query is text,
-- since the view that it reads need not exist.
select pg_catalog.format('%s (%s times since %s)', one.kind, one.calls, one.since) as object, 0::pg_catalog.int8 as bytes
from (
    select pg_catalog.query_to_xml(pg_catalog.format(
        $ddl$
        select s.kind, pg_catalog.sum(s.calls) as calls, pg_catalog.to_char(i.stats_reset, 'YYYY-MM-DD') as since
        from (
            select pg_catalog.upper(pg_catalog.regexp_replace(pg_catalog.substring(t.query,
                     '^\s*((?:create|alter|drop|truncate|refresh)\s+(?:(?:or\s+replace|unlogged|unique|materialized)\s+)?\w+)'),
                     '\s+', ' ', 'g')) as kind, t.calls
            from %1$I.pg_stat_statements t
            join pg_catalog.pg_database d on d.oid = t.dbid and d.datname = pg_catalog.current_database()
            where t.query ~* '^\s*(create|alter|drop)\s'
              and t.query !~* '^\s*(create|alter|drop)\s+(global\s+|local\s+)?(temp|temporary|role|user|database|extension|publication|subscription|server|tablespace)\M'
        ) s
        cross join %1$I.pg_stat_statements_info i
        where s.kind is not null
        group by s.kind, i.stats_reset
        $ddl$, n.nspname), true, false, '') as answer
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'pg_stat_statements'
      -- Only a server that loaded the library has the view's rows.
      and pg_catalog.current_setting('pg_stat_statements.max', true) is not null
      and pg_catalog.split_part(e.extversion, '.', 2)::pg_catalog.int4 >= 9
) a
cross join lateral xmltable('/table/row' passing a.answer
    columns kind pg_catalog.text path 'kind', calls pg_catalog.text path 'calls', since pg_catalog.text path 'since') one
