-- Four tables of 240 columns of many types.
select format('create table wide_%s (id bigint primary key, %s)', t, string_agg(format('c%s %s', c,
    (array['int', 'bigint', 'text', 'numeric(12, 3)', 'timestamptz', 'boolean', 'double precision', 'uuid'])[1 + c % 8]), ', ' order by c))
from generate_series(1, 4) t, generate_series(1, 240) c group by t order by t \gexec
select format('insert into wide_%s select n, %s from generate_series(1::bigint, %s) n', t, string_agg(format(
    (array['(n * 7 + %1$s) %% 100000', 'n * 104729 + %1$s', 'substr(md5((n + %1$s)::text), 1, 12)', '(n * 31 + %1$s) %% 999999 / 1000.0',
        $$timestamptz '2024-01-01' + n * interval '61 seconds'$$, 'n %% (%1$s + 1) = 0', 'sqrt(n + %1$s)', 'md5((n * %1$s)::text)::uuid'
    ])[1 + c % 8], c), ', ' order by c), (17000 * :scale)::int)
from generate_series(1, 4) t, generate_series(1, 240) c group by t order by t \gexec
