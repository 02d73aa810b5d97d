-- One table that is nearly the whole database.
create table measurements (
    id bigint primary key, device int not null, at timestamptz not null, value double precision not null, unit text not null, note text not null
);
insert into measurements
select n, n % 5000, timestamptz '2023-01-01' + n * interval '3 seconds', sin(n) * 1000, (array['K', 'Pa', 'm', 's'])[1 + n % 4],
    md5(n::text)
from generate_series(1::bigint, (4000000 * :scale)::int) n;
create index on measurements (device, at);
create table devices (id int primary key, name text not null);
insert into devices select n, 'device ' || n from generate_series(0, 4999) n;
