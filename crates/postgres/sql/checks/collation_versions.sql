-- Collations whose library is another one now than when what they order was built; the default is the database's own.
select pg_catalog.format('%s (%s was %s, is %s)',
         case k.collprovider when 'd' then 'the database''s' else pg_catalog.format('%I.%I', n.nspname, k.collname) end,
         case coalesce(nullif(k.collprovider::pg_catalog.text, 'd'), pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c')
           when 'i' then 'ICU' when 'c' then 'libc' else 'built in' end,
         v.was, v.is) as object,
       0::pg_catalog.int8 as bytes
from pg_catalog.pg_collation k
join pg_catalog.pg_namespace n on n.oid = k.collnamespace
join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
cross join lateral (
    select case k.collprovider when 'd' then pg_catalog.to_jsonb(d) ->> 'datcollversion' else k.collversion end as was,
           pg_catalog.pg_collation_actual_version(k.oid) as is
) v
where v.was <> v.is
  -- Of those that nobody uses there are hundreds.
  and (k.collprovider = 'd' or exists (
      select from pg_catalog.pg_depend u
      where u.refclassid = 'pg_catalog.pg_collation'::pg_catalog.regclass and u.refobjid = k.oid and u.deptype = 'n'))
