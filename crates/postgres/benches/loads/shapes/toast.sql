-- Values that are kept out of line: text that compresses little, and bytes that don't.
create table pages (id int primary key, address text not null unique, body text not null);
insert into pages
select n, 'https://example.test/' || md5(n::text), d from generate_series(1, (12000 * :scale)::int) n,
    lateral (select string_agg(md5((n * 1009 + w)::text), ' ') as d from generate_series(1, 400) w) words;
create table images (id int primary key, taken timestamptz not null, content bytea not null);
alter table images alter column content set storage external;
insert into images
select n, timestamptz '2024-01-01' + n * interval '1 hour', d from generate_series(1, (6000 * :scale)::int) n,
    lateral (select string_agg(decode(md5((n * 2003 + w)::text), 'hex'), '') as d from generate_series(1, 2000) w) bytes;
create index on images (taken);
