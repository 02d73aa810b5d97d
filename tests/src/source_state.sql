-- Privileges are compared as they are in force: one that was granted and revoked leaves the default written out.
select pg_catalog.json_build_object(
    'roles', (select pg_catalog.json_agg(pg_catalog.json_build_array(rolname, rolsuper, rolreplication, rolcanlogin) order by rolname)
              from pg_catalog.pg_roles),
    'memberships', (select pg_catalog.json_agg(pg_catalog.json_build_array(roleid::regrole, member::regrole) order by roleid::regrole::text, member::regrole::text)
                    from pg_catalog.pg_auth_members),
    'publications', (select pg_catalog.json_agg(pubname order by pubname) from pg_catalog.pg_publication),
    'slots', (select pg_catalog.json_agg(slot_name order by slot_name) from pg_catalog.pg_replication_slots),
    'schemas', (select pg_catalog.json_agg(pg_catalog.json_build_array(nspname, coalesce(nspacl, pg_catalog.acldefault('n', nspowner))) order by nspname)
                from pg_catalog.pg_namespace where nspname !~ '^pg_(toast_)?temp'),
    'relations', (select pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::regclass, relkind, relreplident, relpersistence, coalesce(relacl, pg_catalog.acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)), relrowsecurity, relforcerowsecurity) order by c.oid::regclass::text)
                  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = relnamespace
                  where relkind in ('r', 'p', 'v', 'm', 'S', 'i') and nspname !~ '^(pg_|information_schema)'),
    'connection limits', (select pg_catalog.json_agg(pg_catalog.json_build_array(datname, datconnlimit) order by datname) from pg_catalog.pg_database),
    'settings', (select pg_catalog.json_agg(pg_catalog.json_build_array(setdatabase, setrole, setconfig) order by setdatabase, setrole)
                 from pg_catalog.pg_db_role_setting),
    'default privileges', (select pg_catalog.json_agg(pg_catalog.json_build_array(defaclrole::regrole, defaclnamespace, defaclobjtype, defaclacl) order by oid)
                           from pg_catalog.pg_default_acl)
)::text
