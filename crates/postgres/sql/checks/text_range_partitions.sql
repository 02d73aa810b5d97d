-- Tables partitioned by range over a column whose collation is not C, in a database that doesn't sort by C.
select distinct pg_catalog.format('%I.%I', n.nspname, c.relname) as object, 0::pg_catalog.int8 as bytes, c.oid as relation
from pg_catalog.pg_partitioned_table p
join pg_catalog.pg_class c on c.oid = p.partrelid
join user_schema n on n.oid = c.relnamespace
cross join lateral pg_catalog.unnest(p.partcollation::pg_catalog.oid[]) key (collated)
join pg_catalog.pg_collation k on k.oid = key.collated
join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
where p.partstrat = 'r'
  and case coalesce(nullif(k.collprovider::pg_catalog.text, 'd'), pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c')
      when 'b' then false
      when 'i' then true
      else coalesce(nullif(k.collcollate, ''), d.datcollate) not in ('C', 'POSIX', 'C.UTF-8', 'C.utf8') end
