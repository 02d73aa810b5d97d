select pg_catalog.pg_encoding_to_char(d.encoding)::pg_catalog.text as encoding, 
       -- By what the database sorts: columns of pg_database that not every version has.
       case pg_catalog.to_jsonb(d) ->> 'datlocprovider'
           when 'i' then 'ICU ' || coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale')
           when 'b' then pg_catalog.to_jsonb(d) ->> 'datlocale'
           else d.datcollate::pg_catalog.text
       end as collate,
       pg_catalog.pg_database_size(d.oid) as bytes,
       (select pg_catalog.count(*) from pg_catalog.pg_largeobject_metadata) as large_objects,
       coalesce((select pg_catalog.array_agg(s.subname::pg_catalog.text order by s.subname)
                 from pg_catalog.pg_subscription s where s.subdbid = d.oid), '{}') as subscriptions
from pg_catalog.pg_database d
where d.datname = pg_catalog.current_database()
