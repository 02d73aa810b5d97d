-- Collations of the C library other than C's own, on which something depends, or that a user made.
select pg_catalog.format('%I.%I (%s object%s)', k.nspname, k.collname, k.uses, case k.uses when 1 then '' else 's' end) as object,
       0::pg_catalog.int8 as bytes
from (
    select n.nspname, c.collname, c.collcollate, s.oid as of_user,
           (select pg_catalog.count(distinct (u.classid, u.objid))
            from pg_catalog.pg_depend u
            where u.refclassid = 'pg_catalog.pg_collation'::pg_catalog.regclass and u.refobjid = c.oid and u.deptype = 'n') as uses
    from pg_catalog.pg_collation c
    join pg_catalog.pg_namespace n on n.oid = c.collnamespace
    left join user_schema s on s.oid = n.oid
    where c.collprovider = 'c'
      and c.collcollate not in ('C', 'POSIX', 'C.UTF-8', 'C.utf8')
) k
where k.uses > 0 or k.of_user is not null
