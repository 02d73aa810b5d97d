-- Prepared transactions of the whole server.
select pg_catalog.format('%s of %s in %s', p.gid, p.owner, p.database) as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_prepared_xacts p
