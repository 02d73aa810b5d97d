-- What security labels are on.
select pg_catalog.format('%s (%s)', l.objname, l.provider) as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_seclabels l
where l.objtype not in ('database', 'role', 'tablespace')
