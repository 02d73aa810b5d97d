-- The extensions that the server offers, in the version that it makes, and whether somebody who is no superuser may create them.
select a.name::pg_catalog.text as name, a.default_version as version,
       a.installed_version is not null or coalesce(v.trusted or not v.superuser, false) as creatable
from pg_catalog.pg_available_extensions a
left join pg_catalog.pg_available_extension_versions v on v.name = a.name and v.version = a.default_version
where a.default_version is not null
