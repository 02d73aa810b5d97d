use super::*;

fn difference(object: (&str, &str), what: What, aspect: Option<&str>, values: (Option<&str>, Option<&str>)) -> Difference {
    let own = |value: Option<&str>| value.map(str::to_owned);
    Difference {
        object: ObjectName { kind: object.0.into(), name: object.1.into() },
        what,
        aspect: own(aspect),
        source: own(values.0),
        target: own(values.1),
        expected_because: None,
    }
}

fn expectations() -> Expectations {
    let allowed = [
        ("EXTENSION", "azure_storage"),
        ("TRIGGER", "sales.orders audit"),
        ("FK CONSTRAINT", "sales.Order Lines fk"),
        ("DEFAULT", "sales.orders id"),
        ("COMMENT", "sales.TABLE orders"),
        ("COMMENT", "sales.TRIGGER touch ON orders"),
        ("FUNCTION", "sales.f(integer, text)"),
        ("SERVER", "far"),
        ("CAST", "CAST (xml AS public.thing)"),
        ("OPERATOR CLASS", "public.odd_ops"),
        ("OPERATOR", "public.==="),
    ];
    Expectations {
        owner: "neon_owner".into(),
        identities: BTreeMap::from([("publict".into(), [None, Some("full".into())])]),
        allowed: allowed.map(|(kind, name)| (kind.to_owned(), name.to_owned())).to_vec(),
        refreshed: false,
    }
}

#[test]
fn what_is_expected_has_a_reason() {
    use What::{Differs, Extra, Missing};
    let expectations = expectations();
    let table = ("table", "public.t");
    for (object, what, aspect, values) in [
        (table, Differs, Some("owner"), (Some("admin"), Some("neon_owner"))),
        (("schema", "public"), Differs, Some("owner"), (Some("admin"), Some("pg_database_owner"))),
        (table, Differs, Some("privileges"), (Some("reader=SELECT"), None)),
        (table, Differs, Some("persistence"), (Some("unlogged"), Some("logged"))),
        (table, Differs, Some("replica identity"), (Some("full"), None)),
        (table, Differs, Some("replica identity"), (None, Some("full"))),
        (("materialized view", "public.m"), Differs, Some("populated"), (Some("yes"), Some("no"))),
        (("extension", "citext"), Differs, Some("version"), (Some("1.6"), Some("1.8"))),
        (("extension", "neon"), Extra, None, (None, Some("superuser cloud_admin"))),
        (("extension", "citext"), Differs, Some("owner"), (Some("admin"), Some("superuser cloud_admin"))),
        (("schema", "public"), Extra, None, (None, Some("pg_database_owner"))),
        (("cast", "(pg_catalog.xml AS public.thing)"), Missing, None, (Some(""), None)),
        (("operator class", "public.odd_ops USING btree"), Missing, None, (Some("admin"), None)),
        (("operator", "public.===(public.thing,public.thing)"), Missing, None, (Some("admin"), None)),
        (("publication", "p"), Missing, None, (Some("admin"), None)),
        (("extension", "azure_storage"), Missing, None, (Some("admin"), None)),
        (("trigger", "sales.orders.audit"), Missing, None, (None, None)),
        (("constraint", "sales.\"Order Lines\".fk"), Missing, None, (None, None)),
        (("function", "sales.f(integer, text)"), Missing, None, (Some("admin"), None)),
        (("foreign server", "far"), Missing, None, (Some("admin"), None)),
        (("column", "sales.orders.id"), Differs, Some("default"), (Some("1"), None)),
        (("table", "sales.orders"), Differs, Some("comment"), (Some("x"), None)),
        (("trigger", "sales.orders.touch"), Differs, Some("comment"), (Some("x"), None)),
    ] {
        let difference = difference(object, what, aspect, values);
        assert!(expectations.reason(&difference, None).is_some(), "{difference}");
    }
}

#[test]
fn nothing_else_is() {
    use What::{Differs, Extra, Missing};
    let mut expectations = expectations();
    expectations.refreshed = true;
    let table = ("table", "public.t");
    for (object, what, aspect, values) in [
        (table, Differs, Some("owner"), (Some("admin"), Some("somebody"))),
        (("schema", "sales"), Differs, Some("owner"), (Some("admin"), Some("superuser cloud_admin"))),
        (table, Differs, Some("persistence"), (Some("logged"), Some("unlogged"))),
        (table, Differs, Some("replica identity"), (Some("full"), Some("nothing"))),
        (("table", "public.u"), Differs, Some("replica identity"), (Some("full"), None)),
        (("materialized view", "public.m"), Differs, Some("populated"), (Some("yes"), Some("no"))),
        (("extension", "citext"), Missing, None, (Some("admin"), None)),
        (("extension", "citext"), Extra, None, (None, Some("neon_owner"))),
        (("trigger", "sales.orders.audit"), Extra, None, (None, None)),
        (("trigger", "sales.orders.audit"), Differs, Some("firing mode"), (Some("origin"), Some("disabled"))),
        (("trigger", "sales.orders.touch"), Missing, None, (None, None)),
        (("index", "sales.orders.audit"), Missing, None, (None, None)),
        (("column", "sales.orders.id"), Differs, Some("type"), (Some("integer"), Some("bigint"))),
        (("constraint", "sales.orders.fk"), Differs, Some("firing mode"), (None, Some("disabled"))),
        (("table", "sales.child"), Differs, Some("column order"), (Some(r#"["a","b"]"#), Some(r#"["b","a"]"#))),
    ] {
        let difference = difference(object, what, aspect, values);
        assert_eq!(expectations.reason(&difference, None), None, "{difference}");
    }
}

#[test]
fn a_comparison_names_each_difference_and_counts_the_expected() {
    let mut owner = difference(("table", "public.t"), What::Differs, Some("owner"), (Some("a"), Some("b")));
    owner.expected_because = Some("so".into());
    let missing = |n: usize| difference(("index", &format!("public.i{n}")), What::Missing, None, (None, None));
    let mut comparison = CatalogComparison { objects: 50, differences: vec![owner] };
    assert_eq!(comparison.note(), "50 objects alike, 1 expected differences (owner 1)");
    comparison.demand_alike().unwrap();
    comparison.differences.extend((0..25).map(missing));
    let error = comparison.demand_alike().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEqual);
    assert!(error.message().contains("25 differences:\n  index public.i0 is missing on the target\n"), "{error}");
    assert!(error.message().ends_with("\n  and 5 more") && error.remedy().is_some());
    assert_eq!(comparison.note(), "25 objects alike, 25 not, 1 expected differences (owner 1)");
}
