-- The relations that are compared: neither temporary nor an extension's.
relation (oid, kind, name) as (
    select c.oid, c.relkind, pg_catalog.format('%I.%I', s.nspname, c.relname)
    from pg_catalog.pg_class c
    join user_schema s on s.oid = c.relnamespace
    where c.relpersistence <> 't'
      and not exists (
          select from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e')
      -- An extension's composite type depends on it by its type, not by its relation.
      and not exists (
          select from pg_catalog.pg_depend d
          where c.relkind = 'c' and d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid = c.reltype and d.deptype = 'e')
)
