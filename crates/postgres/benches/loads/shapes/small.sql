-- 5,000 tables of 20 rows.
select format($$
    create table small_%1$s (id int primary key, name text not null, at timestamptz not null);
    insert into small_%1$s select n, md5(n::text || %1$s), timestamptz '2024-01-01' + n * interval '1 hour' from generate_series(1, 20) n;
    create index on small_%1$s (at)
    $$, t) from generate_series(1, (5000 * :scale)::int) t order by t \gexec
