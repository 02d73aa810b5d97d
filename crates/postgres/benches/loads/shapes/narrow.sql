-- Two tables whose rows are hardly longer than their headers.
create table pairs (id int primary key, value int not null);
insert into pairs select n, n * 7 % 100003 from generate_series(1, (3000000 * :scale)::int) n;
create table edges (a int not null, b int not null, primary key (a, b));
insert into edges select n, n::bigint * 48271 % 3000017 from generate_series(1, (3000000 * :scale)::int) n;
create index on edges (b);
