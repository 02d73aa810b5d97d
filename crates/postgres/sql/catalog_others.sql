-- What is rare, each with one definition of all that makes it. Columns that only some majors have are read by way of JSON. Of a
-- user mapping and a subscription nothing but the name, of settings and options a hash: they may hold what must not be shown.
select o.class, o.object, o.kind, coalesce(o.name, i.identity) as name, null::pg_catalog.text as of,
       o.definition, d.description as comment,
       case when r.rolsuper then 'superuser ' else '' end || r.rolname as owner
from (
    select 'pg_catalog.pg_cast'::pg_catalog.regclass::pg_catalog.oid as class, c.oid as object, 'cast' as kind,
           null::pg_catalog.text as name, null::pg_catalog.oid as owner,
           pg_catalog.concat_ws(' ', c.castfunc::pg_catalog.regprocedure, c.castcontext, c.castmethod) as definition
    from pg_catalog.pg_cast c
    where c.oid >= 16384
    union all
    select 'pg_catalog.pg_operator'::pg_catalog.regclass, p.oid, 'operator', null, p.oprowner,
           pg_catalog.concat_ws(' ', p.oprcode, p.oprcom::pg_catalog.regoperator, p.oprnegate::pg_catalog.regoperator, p.oprrest, p.oprjoin,
                                p.oprcanhash, p.oprcanmerge)
    from pg_catalog.pg_operator p join user_schema s on s.oid = p.oprnamespace
    union all
    select 'pg_catalog.pg_opclass'::pg_catalog.regclass, p.oid, 'operator class', null, p.opcowner,
           pg_catalog.concat_ws(' ', f.opfname, p.opcintype::pg_catalog.regtype, p.opckeytype::pg_catalog.regtype, p.opcdefault)
    from pg_catalog.pg_opclass p join user_schema s on s.oid = p.opcnamespace join pg_catalog.pg_opfamily f on f.oid = p.opcfamily
    union all
    select 'pg_catalog.pg_opfamily'::pg_catalog.regclass, f.oid, 'operator family', null, f.opfowner,
           pg_catalog.concat_ws('; ',
               (select pg_catalog.string_agg(a.amopstrategy || ' ' || a.amopopr::pg_catalog.regoperator, ', '
                                             order by a.amopstrategy, a.amopopr::pg_catalog.regoperator::pg_catalog.text collate "C")
                from pg_catalog.pg_amop a where a.amopfamily = f.oid),
               (select pg_catalog.string_agg(a.amprocnum || ' ' || a.amproc::pg_catalog.regprocedure, ', '
                                             order by a.amprocnum, a.amproc::pg_catalog.regprocedure::pg_catalog.text collate "C")
                from pg_catalog.pg_amproc a where a.amprocfamily = f.oid))
    from pg_catalog.pg_opfamily f join user_schema s on s.oid = f.opfnamespace
    union all
    select 'pg_catalog.pg_collation'::pg_catalog.regclass, c.oid, 'collation', null, c.collowner,
           pg_catalog.concat_ws(' ', c.collprovider, coalesce(j.j ->> 'colllocale', j.j ->> 'colliculocale', j.j ->> 'collcollate'),
                                case when c.collprovider = 'c' then j.j ->> 'collctype' end, c.collisdeterministic, j.j ->> 'collicurules')
    from pg_catalog.pg_collation c join user_schema s on s.oid = c.collnamespace
    cross join lateral pg_catalog.to_jsonb(c) j (j)
    union all
    select 'pg_catalog.pg_conversion'::pg_catalog.regclass, c.oid, 'conversion', null, c.conowner,
           pg_catalog.concat_ws(' ', c.conproc, c.conforencoding, c.contoencoding, c.condefault)
    from pg_catalog.pg_conversion c join user_schema s on s.oid = c.connamespace
    union all
    select 'pg_catalog.pg_ts_config'::pg_catalog.regclass, c.oid, 'text search configuration', null, c.cfgowner,
           pg_catalog.concat_ws('; ', p.prsname,
               (select pg_catalog.string_agg(k.alias || ' ' || m.mapdict::pg_catalog.regdictionary, ', ' order by m.maptokentype, m.mapseqno)
                from pg_catalog.pg_ts_config_map m join pg_catalog.ts_token_type(c.cfgparser) k on k.tokid = m.maptokentype
                where m.mapcfg = c.oid))
    from pg_catalog.pg_ts_config c join user_schema s on s.oid = c.cfgnamespace join pg_catalog.pg_ts_parser p on p.oid = c.cfgparser
    union all
    select 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, t.oid, 'text search dictionary', null, t.dictowner,
           pg_catalog.concat_ws(' ', p.tmplname, t.dictinitoption)
    from pg_catalog.pg_ts_dict t join user_schema s on s.oid = t.dictnamespace join pg_catalog.pg_ts_template p on p.oid = t.dicttemplate
    union all
    select 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, p.oid, 'text search parser', null, null,
           pg_catalog.concat_ws(' ', p.prsstart, p.prstoken, p.prsend, p.prsheadline, p.prslextype)
    from pg_catalog.pg_ts_parser p join user_schema s on s.oid = p.prsnamespace
    union all
    select 'pg_catalog.pg_ts_template'::pg_catalog.regclass, t.oid, 'text search template', null, null,
           pg_catalog.concat_ws(' ', t.tmplinit, t.tmpllexize)
    from pg_catalog.pg_ts_template t join user_schema s on s.oid = t.tmplnamespace
    union all
    select 'pg_catalog.pg_transform'::pg_catalog.regclass, t.oid, 'transform', null, null,
           pg_catalog.concat_ws(' ', t.trffromsql, t.trftosql)
    from pg_catalog.pg_transform t
    where t.oid >= 16384
    union all
    select 'pg_catalog.pg_am'::pg_catalog.regclass, m.oid, 'access method', null, null, m.amhandler::pg_catalog.text
    from pg_catalog.pg_am m
    where m.oid >= 16384
    union all
    select 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, 'language', null, l.lanowner,
           pg_catalog.concat_ws(' ', l.lanplcallfoid::pg_catalog.regprocedure, l.lanpltrusted)
    from pg_catalog.pg_language l
    where l.oid >= 16384
    union all
    select 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, w.oid, 'foreign data wrapper', null, w.fdwowner,
           pg_catalog.concat_ws(' ', nullif(w.fdwhandler, 0)::pg_catalog.regprocedure, nullif(w.fdwvalidator, 0)::pg_catalog.regprocedure)
    from pg_catalog.pg_foreign_data_wrapper w
    union all
    select 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, f.oid, 'foreign server', null, f.srvowner,
           pg_catalog.concat_ws(' ', w.fdwname, f.srvtype, f.srvversion,
               pg_catalog.md5((select pg_catalog.string_agg(o, ', ' order by o collate "C") from pg_catalog.unnest(f.srvoptions) o)))
    from pg_catalog.pg_foreign_server f join pg_catalog.pg_foreign_data_wrapper w on w.oid = f.srvfdw
    union all
    select 'pg_catalog.pg_user_mapping'::pg_catalog.regclass, u.umid, 'user mapping', pg_catalog.format('%s on %I', u.usename, u.srvname), null, null
    from pg_catalog.pg_user_mappings u
    union all
    select 'pg_catalog.pg_publication'::pg_catalog.regclass, p.oid, 'publication', null, p.pubowner, null
    from pg_catalog.pg_publication p
    where p.pubname !~ '^azure2neon_'
    union all
    select 'pg_catalog.pg_subscription'::pg_catalog.regclass, p.oid, 'subscription', null, p.subowner, null
    from pg_catalog.pg_subscription p
    join pg_catalog.pg_database b on b.oid = p.subdbid
    where b.datname = pg_catalog.current_database() and p.subname !~ '^azure2neon_'
    union all
    select 'pg_catalog.pg_default_acl'::pg_catalog.regclass, a.oid, 'default privileges', null, null, null
    from pg_catalog.pg_default_acl a
    where not exists (
        select from pg_catalog.aclexplode(a.defaclacl) e join pg_catalog.pg_roles g on g.oid = e.grantee
        where g.rolname ~ '^azure2neon_')
    union all
    select 'pg_catalog.pg_database'::pg_catalog.regclass, b.oid, 'database setting',
           pg_catalog.format('%s %s', coalesce(u.rolname, 'all roles'), pg_catalog.split_part(v.setting, '=', 1)), null,
           pg_catalog.md5(v.setting)
    from pg_catalog.pg_database b
    join pg_catalog.pg_db_role_setting g on g.setdatabase = b.oid
    left join pg_catalog.pg_roles u on u.oid = g.setrole
    cross join lateral pg_catalog.unnest(g.setconfig) v (setting)
    where b.datname = pg_catalog.current_database() and v.setting !~ '^default_transaction_read_only='
) o
left join lateral pg_catalog.pg_identify_object(o.class, o.object, 0) i on o.name is null
left join pg_catalog.pg_roles r on r.oid = o.owner
left join pg_catalog.pg_description d on d.objoid = o.object and d.classoid = o.class and d.objsubid = 0
where not exists (
    select from pg_catalog.pg_depend x where x.classid = o.class and x.objid = o.object and x.deptype = 'e')
