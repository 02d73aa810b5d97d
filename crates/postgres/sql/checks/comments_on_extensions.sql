-- Comments on extensions that are not the extension's own.
select pg_catalog.format('%s: %s', e.extname, pg_catalog.left(d.description, 60)) as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_extension e
join pg_catalog.pg_description d
  on d.objoid = e.oid and d.classoid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.objsubid = 0
join pg_catalog.pg_available_extensions a on a.name = e.extname
where d.description is distinct from a.comment
