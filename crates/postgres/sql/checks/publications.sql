-- Publications that no run of this program made.
select p.pubname::pg_catalog.text as object, 0::pg_catalog.int8 as bytes
from pg_catalog.pg_publication p
where p.pubname !~ '^azure2neon_'
