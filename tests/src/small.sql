-- A few tables with what a migration must not forget.
create schema sales;
create type sales.state as enum ('open', 'paid');
create table sales.customer (id integer generated always as identity primary key, name text not null, born date);
create table sales."Order" (
    id bigserial primary key,
    customer integer not null references sales.customer,
    state sales.state not null default 'open',
    total numeric(10, 2) check (total >= 0),
    note jsonb
);
create index on sales."Order" (customer);
create table sales.visit (at timestamptz, page text);
create table sales.reading (sensor integer not null, at timestamptz not null, value float8);
create unique index reading_key on sales.reading (sensor, at);
create unlogged table sales.counter (page text primary key, hits bigint);
create table sales.secret (id integer primary key, tenant text);
alter table sales.secret enable row level security;
create policy own on sales.secret using (tenant = current_user);
create sequence sales.ticket start 100;
create materialized view sales.revenue as select state, sum(total) from sales."Order" group by state;
create function sales.touch() returns trigger language plpgsql set search_path = '' as
    $$ begin new.note = coalesce(new.note, '{}') || '{"touched": true}'; return new; end $$;
create trigger touch before update on sales."Order" for each row execute function sales.touch();
insert into sales.customer (name, born) select 'c' || n, date '1970-01-01' + n from generate_series(1, 1000) n;
insert into sales."Order" (customer, total, note) select 1 + n % 1000, n / 7.0, jsonb_build_object('n', n) from generate_series(1, 5000) n;
insert into sales.visit select timestamptz '2026-01-01' + n * interval '1 s', '/' || n % 10 from generate_series(1, 500) n;
insert into sales.reading select n % 10, timestamptz '2026-01-01' + n * interval '1 s', n / 3.0 from generate_series(1, 500) n;
insert into sales.counter select '/' || n, n from generate_series(1, 10) n;
insert into sales.secret select n, 'tenant' || n from generate_series(1, 50) n;
select nextval('sales.ticket');
refresh materialized view sales.revenue;
