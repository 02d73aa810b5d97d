-- Transactions that a slot would send, were it asked, and that were committed behind a position: how many, of how many changes, and of
-- which tables. A message says by its first letter what it is: C(ommit), I(nsert), U(pdate), D(elete), T(runcate).
with messages as (
  select m.xid::pg_catalog.text as xid, m.lsn, pg_catalog.get_byte(m.data, 0) as kind,
         case pg_catalog.get_byte(m.data, 0) when 84 then pg_catalog.substr(m.data, 7, 4) else pg_catalog.substr(m.data, 2, 4) end as relation
  from pg_catalog.pg_logical_slot_peek_binary_changes($1, null, null, 'proto_version', '1', 'publication_names', $2) m
), late as (
  select xid from messages group by xid having pg_catalog.max(lsn) filter (where kind = 67) > $3::pg_catalog.text::pg_catalog.pg_lsn
)
select pg_catalog.count(distinct xid) as transactions, pg_catalog.count(*) as changes,
       coalesce(pg_catalog.array_agg(distinct ('x' || pg_catalog.encode(relation, 'hex'))::pg_catalog.bit(32)::pg_catalog.int8::pg_catalog.oid
         ::pg_catalog.regclass::pg_catalog.text), '{}') as tables
from messages
where xid in (select xid from late) and kind in (73, 85, 68, 84)
