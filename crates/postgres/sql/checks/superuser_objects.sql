-- Operator classes and families, base types and text search parsers and templates that no extension made.
select o.kind || ' ' || o.name as object, 0::pg_catalog.int8 as bytes
from (
    select 'operator class' as kind, pg_catalog.format('%I.%I', n.nspname, c.opcname) as name,
           'pg_catalog.pg_opclass'::pg_catalog.regclass as class, c.oid
    from pg_catalog.pg_opclass c join user_schema n on n.oid = c.opcnamespace
    union all
    select 'operator family', pg_catalog.format('%I.%I', n.nspname, f.opfname), 'pg_catalog.pg_opfamily'::pg_catalog.regclass, f.oid
    from pg_catalog.pg_opfamily f join user_schema n on n.oid = f.opfnamespace
    where not exists (select from pg_catalog.pg_opclass c where c.opcfamily = f.oid)
    union all
    select 'type', pg_catalog.format('%I.%I', n.nspname, t.typname), 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
    from pg_catalog.pg_type t join user_schema n on n.oid = t.typnamespace
    where t.typtype = 'b' and t.typisdefined and not (t.typcategory = 'A' and t.typelem <> 0)
    union all
    select 'text search parser', pg_catalog.format('%I.%I', n.nspname, p.prsname), 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, p.oid
    from pg_catalog.pg_ts_parser p join user_schema n on n.oid = p.prsnamespace
    union all
    select 'text search template', pg_catalog.format('%I.%I', n.nspname, t.tmplname),
           'pg_catalog.pg_ts_template'::pg_catalog.regclass, t.oid
    from pg_catalog.pg_ts_template t join user_schema n on n.oid = t.tmplnamespace
) o
where not exists (select from pg_catalog.pg_depend x where x.classid = o.class and x.objid = o.oid and x.deptype = 'e')
