-- What a new slot waits for: every transaction that holds a transaction id, prepared ones too.
select pg_catalog.format('pid %s (%s, %s, transaction open for %s s)', a.pid, coalesce(a.usename, 'unknown role'),
           coalesce(nullif(a.application_name, ''), 'no application name'),
           coalesce(pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.numeric)::pg_catalog.text, '?'))
from pg_catalog.pg_stat_activity a
where a.backend_xid is not null and a.pid <> pg_catalog.pg_backend_pid()
union all
select pg_catalog.format('prepared transaction %s (%s, database %s, prepared %s s ago)', pg_catalog.quote_literal(p.gid), p.owner, p.database,
           pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::pg_catalog.numeric))
from pg_catalog.pg_prepared_xacts p
