//! One difference after the other, to be planted on the target.

/// What is done to the target, and the differences that this makes.
pub const CASES: &[(&str, &[&str])] = &[
    // Columns.
    ("alter table x.t alter column n set default 2", &["column x.t.n: default is 1.5 on the source, 2 on the target"]),
    (
        "alter table x.t alter column v drop default",
        &["column x.t.v: default is 'a'::character varying on the source, not set on the target"],
    ),
    (
        "alter table x.t alter column v set default 'b'",
        &["column x.t.v: default is 'a'::character varying on the source, 'b'::character varying on the target"],
    ),
    ("alter table x.heir alter column extra type bigint", &["column x.heir.extra: type is integer on the source, bigint on the target"]),
    ("alter table x.t alter column n drop not null", &["column x.t.n: nullability is not null on the source, not set on the target"]),
    (
        "alter table x.base drop column note",
        &["column x.base.note is missing on the target", "column x.heir.note is missing on the target"],
    ),
    ("alter table x.t add column more int", &["column x.t.more is on the target only"]),
    (
        "alter table x.t drop column big; alter table x.t add column big text; alter table x.t alter column big set storage external, \
      alter column big set statistics 50",
        &[r#"table x.t: column order is ["id", "v", "n", "txt", "big", "lower_v""#],
    ),
    (
        r#"alter table x.t alter column txt type text collate "POSIX""#,
        &[r#"column x.t.txt: collation is pg_catalog."C" on the source, pg_catalog."POSIX" on the target"#],
    ),
    (
        "alter table x.t alter column txt type text collate \"default\"",
        &[r#"column x.t.txt: collation is pg_catalog."C" on the source, not set on the target"#],
    ),
    (
        "alter table x.t alter column id drop identity",
        &["column x.t.id: identity is by default on the source, not set on the target", "sequence x.t_id_seq is missing on the target"],
    ),
    (
        "alter table x.t alter column id set generated always",
        &["column x.t.id: identity is by default on the source, always on the target"],
    ),
    (
        "alter table x.t alter column lower_v drop expression",
        &["column x.t.lower_v: generated as is", "column x.t.lower_v: generated is stored on the source, not set on the target"],
    ),
    ("alter table x.t alter column big set storage main", &["column x.t.big: storage is external on the source, main on the target"]),
    (
        "alter table x.t alter column txt set compression pglz",
        &["column x.t.txt: compression is not set on the source, pglz on the target"],
    ),
    ("alter table x.t alter column big set statistics 60", &["column x.t.big: statistics target is 50 on the source, 60 on the target"]),
    (
        "alter table x.t alter column n set (n_distinct = 5)",
        &["column x.t.n: options is not set on the source, n_distinct=5 on the target"],
    ),
    ("comment on column x.t.n is 'another'", &["column x.t.n: comment is a column on the source, another on the target"]),
    // Constraints.
    ("alter table x.t drop constraint v_short", &["constraint x.t.v_short is missing on the target"]),
    (
        "alter table x.t drop constraint v_short; alter table x.t add constraint v_short check (length(v) < 8)",
        &[
            "constraint x.t.v_short: comment is a constraint on the source, not set on the target",
            "constraint x.t.v_short: definition is CHECK ((length((v)::text) < 9)) on the source, CHECK ((length((v)::text) < 8)) on the target",
        ],
    ),
    (
        "alter table x.t drop constraint t_v_check; alter table x.t add constraint t_v_check check (v in ('a', 'c'))",
        &["constraint x.t.t_v_check: definition is"],
    ),
    (
        "alter table x.t drop constraint t_v_check; alter table x.t add constraint t_v_check check (v in ('a', 'b')) not valid",
        &["constraint x.t.t_v_check: definition is"],
    ),
    ("alter table x.t drop constraint t_n_key", &["constraint x.t.t_n_key is missing on the target"]),
    ("alter table x.child drop constraint child_t", &["constraint x.child.child_t is missing on the target"]),
    (
        "alter table x.child disable trigger all",
        &[
            "constraint x.child.child_t: firing mode is not set on the source, disabled, on on the target",
            "constraint x.parts.parts_id_fkey: firing mode is not set on the source, disabled, on on the target",
        ],
    ),
    (
        "update pg_catalog.pg_index set indisvalid = false where indexrelid = 'x.child_pkey'::regclass",
        &["constraint x.child.child_pkey: index validity is not set on the source, invalid on the target"],
    ),
    ("alter domain x.code drop constraint code_known", &["constraint x.code.code_known is missing on the target"]),
    (
        "alter domain x.code drop constraint code_known; alter domain x.code add constraint code_known check (value in ('a', 'c'))",
        &["constraint x.code.code_known: definition is"],
    ),
    // Indexes.
    ("drop index x.t_v", &["index x.t_v is missing on the target"]),
    (
        "drop index x.t_v; create index t_v on x.t (v) where v in ('a', 'c')",
        &["index x.t_v: comment is an index on the source, not set on the target", "index x.t_v: definition is"],
    ),
    (
        "update pg_catalog.pg_index set indisvalid = false where indexrelid = 'x.t_v'::regclass",
        &["index x.t_v: validity is not set on the source, invalid on the target"],
    ),
    ("alter index x.t_expression set (fillfactor = 70)", &["index x.t_expression: definition is"]),
    (
        "alter index x.t_expression alter column 1 set statistics 7",
        &["index x.t_expression: statistics targets is not set on the source, 1 7 on the target"],
    ),
    ("create index new on x.t (txt)", &["index x.new is on the target only"]),
    ("drop index x.m_v", &["index x.m_v is missing on the target"]),
    ("alter table x.t cluster on t_expression", &["table x.t: clustered on is not set on the source, t_expression on the target"]),
    // Triggers, rules, policies.
    ("alter table x.t disable trigger touch", &["trigger x.t.touch: firing mode is origin on the source, disabled on the target"]),
    ("alter table x.t enable always trigger touch", &["trigger x.t.touch: firing mode is origin on the source, always on the target"]),
    ("alter table x.part1 enable trigger touch", &["trigger x.part1.touch: firing mode is disabled on the source, origin on the target"]),
    ("drop trigger touch on x.t", &["trigger x.t.touch is missing on the target"]),
    (
        "drop trigger touch on x.t; create trigger touch before update on x.t for each row when (new.v in ('a', 'c')) execute function x.touch()",
        &["trigger x.t.touch: definition is"],
    ),
    ("drop policy own on x.t", &["policy x.t.own is missing on the target"]),
    ("alter policy own on x.t using (true)", &["policy x.t.own: using is"]),
    ("alter policy write on x.t with check (v in ('a', 'c'))", &["policy x.t.write: with check is"]),
    ("alter policy own on x.t to neon_owner", &["policy x.t.own: roles is PUBLIC on the source, neon_owner on the target"]),
    ("alter table x.t disable row level security", &["table x.t: row security is enabled on the source, not set on the target"]),
    ("alter table x.t force row level security", &["table x.t: row security is enabled on the source, enabled, forced on the target"]),
    ("drop rule keep on x.child", &["rule x.child.keep is missing on the target"]),
    ("alter table x.child disable rule keep", &["rule x.child.keep: firing mode is origin on the source, disabled on the target"]),
    ("create or replace rule keep as on delete to x.child do instead select 1", &["rule x.child.keep: definition is"]),
    ("drop statistics x.st", &["statistics x.st is missing on the target"]),
    ("alter statistics x.st set statistics 9", &["statistics x.st: statistics target is not set on the source, 9 on the target"]),
    // Views.
    ("create or replace view x.short as select id, v from x.t where v in ('a', 'c')", &["view x.short: definition is"]),
    (
        "create or replace view x.long with (security_barrier) as select t.id, c.id as child, (select min(id) from x.t i where i.n = t.n) as most from x.t \
      left join x.child c on c.t = t.id",
        &["view x.long: definition is"],
    ),
    ("alter view x.long reset (security_barrier)", &["view x.long: options is security_barrier=true on the source, not set on the target"]),
    ("drop view x.long", &["view x.long is missing on the target"]),
    ("refresh materialized view x.m with no data", &["materialized view x.m: populated is yes on the source, no on the target"]),
    // Functions, types, sequences.
    (
        "create or replace function x.f(n int default 3) returns int language sql immutable as 'select n + 1'",
        &["function x.f(integer): body is"],
    ),
    (
        "create or replace function x.f(n int default 4) returns int language sql immutable as 'select n'",
        &["function x.f(integer): arguments is n integer DEFAULT 3 on the source, n integer DEFAULT 4 on the target"],
    ),
    (
        "alter function x.f stable security definer set work_mem = '1MB'",
        &[
            "function x.f(integer): security is invoker on the source, definer on the target",
            "function x.f(integer): settings is not set on the source, work_mem=1MB on the target",
            "function x.f(integer): volatility is immutable on the source, stable on the target",
        ],
    ),
    (
        "create or replace rule also as on update to x.t where new.v in ('a', 'c') do also insert into x.child values (new.id)",
        &["rule x.t.also: definition is"],
    ),
    (
        "create or replace function x.known(v varchar) returns boolean return v in ('a', 'c')",
        &["function x.known(character varying): sql body is"],
    ),
    (
        "create or replace function x.atomic(n int) returns int begin atomic; select n + 2; end",
        &["function x.atomic(integer): sql body is"],
    ),
    ("drop procedure x.p", &["procedure x.p(integer) is missing on the target"]),
    (
        "create or replace aggregate x.total(int) (sfunc = int4pl, stype = int, initcond = '1')",
        &["aggregate x.total(integer): aggregate is"],
    ),
    (
        "alter type x.mood add value 'angry' before 'sad'",
        &[r#"type x.mood: labels is ["sad", "happy"] on the source, ["angry", "sad", "happy"] on the target"#],
    ),
    ("alter type x.pair add attribute c int", &["column x.pair.c is on the target only"]),
    (
        "alter type x.pair alter attribute b type varchar(6)",
        &["column x.pair.b: type is character varying(5) on the source, character varying(6) on the target"],
    ),
    (
        "alter domain x.code set default 'b'",
        &["domain x.code: default is 'a'::character varying on the source, 'b'::character varying on the target"],
    ),
    ("alter domain x.code set not null", &["domain x.code: nullability is not set on the source, not null on the target"]),
    ("alter sequence x.counter increment 3", &["sequence x.counter: increment is 2 on the source, 3 on the target"]),
    (
        "alter sequence x.counter cycle maxvalue 99 owned by x.child.id",
        &[
            "sequence x.counter: cycle is no on the source, yes on the target",
            "sequence x.counter: maximum is 9223372036854775807 on the source, 99 on the target",
            "sequence x.counter: owned by is not set on the source, x.child.id on the target",
        ],
    ),
    // Tables.
    (
        "drop table x.parts",
        &[
            "table x.part1 is missing on the target",
            "table x.part2 is missing on the target",
            "table x.part2a is missing on the target",
            "table x.parts is missing on the target",
        ],
    ),
    (
        "alter table x.parts detach partition x.part1",
        &[
            "index x.part1_v_idx: partition of is x.parts_v on the source, not set on the target",
            "constraint x.part1.parts_id_fkey is on the target only",
            "table x.part1: partition of is x.parts FOR VALUES FROM (0) TO (10) on the source, not set on the target",
            "trigger x.part1.touch is missing on the target",
        ],
    ),
    ("alter table x.late no inherit x.base", &["table x.late: inherits is x.base on the source, not set on the target"]),
    ("alter table x.t reset (fillfactor)", &["table x.t: options is fillfactor=90 on the source, not set on the target"]),
    (
        "alter table x.t set (toast.autovacuum_enabled = off)",
        &["table x.t: toast options is not set on the source, autovacuum_enabled=off on the target"],
    ),
    ("alter table x.t replica identity full", &["table x.t: replica identity is not set on the source, full on the target"]),
    ("alter table x.base set unlogged", &["table x.base: persistence is logged on the source, unlogged on the target"]),
    ("comment on table x.t is null", &["table x.t: comment is a table on the source, not set on the target"]),
    ("create table x.new (id int primary key)", &["table x.new is on the target only"]),
    // What belongs to no table.
    ("create schema new", &["schema new is on the target only"]),
    ("drop extension citext cascade", &["extension citext is missing on the target"]),
    ("drop collation x.german", &["collation x.german is missing on the target"]),
    ("alter text search configuration x.words drop mapping for word", &["text search configuration x.words: definition is"]),
    ("drop cast (x.pair as text)", &["cast (x.pair AS pg_catalog.text) is missing on the target"]),
    ("drop operator x.=== (int, int)", &["operator x.===(integer,integer) is missing on the target"]),
    (
        "create function x.e() returns event_trigger language plpgsql as 'begin end'; create event trigger e on ddl_command_end execute function x.e()",
        &["event trigger e is on the target only", "function x.e() is on the target only"],
    ),
];
