-- Roots of partition trees: how many partitions, in how many levels, and what they take.
tree (root, relation, level) as (
    select c.oid, c.oid, 0
    from pg_catalog.pg_class c
    join user_schema n on n.oid = c.relnamespace
    where c.relkind = 'p'
      and not c.relispartition
    union all
    select t.root, i.inhrelid, t.level + 1
    from tree t
    join pg_catalog.pg_inherits i on i.inhparent = t.relation
),
grown as (
    select t.root, pg_catalog.count(*) filter (where t.level > 0) as partitions, pg_catalog.max(t.level) as levels,
           coalesce(pg_catalog.sum(pg_catalog.pg_total_relation_size(t.relation)) filter (where c.relkind = 'r'), 0)::pg_catalog.int8 as bytes
    from tree t
    join pg_catalog.pg_class c on c.oid = t.relation
    group by t.root
)
select pg_catalog.format('%I.%I (%s partition%s in %s level%s)', n.nspname, c.relname, g.partitions,
         case g.partitions when 1 then '' else 's' end, g.levels, case g.levels when 1 then '' else 's' end) as object,
       g.bytes, g.root as relation
from grown g
join pg_catalog.pg_class c on c.oid = g.root
join user_schema n on n.oid = c.relnamespace
