//! A project that is there already, and its settings.

use super::*;

fn larger(history_seconds: Option<i64>) -> TargetSettings {
    TargetSettings { compute: "2-8".parse().ok(), suspend_seconds: Some(-1), history_seconds }
}

#[tokio::test]
async fn it_is_opened_by_id_or_name() {
    for (scenario, named) in [("open-id", "quiet-river-11112222"), ("open-name", "shop")] {
        let (replay, cloud) = replay(&[scenario]).await;
        assert_eq!(cloud.open(named, None).await.unwrap(), Some(shop()), "{scenario}");
        replay.finish();
    }
}

#[tokio::test]
async fn a_branch_is_found_by_id_or_name_with_its_compute_that_writes() {
    for named in ["dev", "br-old-tree-e5f6a7b8"] {
        let (replay, cloud) = replay(&["open-branch"]).await;
        let dev = TargetProject { branch: "br-old-tree-e5f6a7b8".to_owned(), endpoint: "ep-red-hill-c1d2e3f4".to_owned(), ..shop() };
        assert_eq!(cloud.open("quiet-river-11112222", Some(named)).await.unwrap(), Some(dev), "{named}");
        replay.finish();
    }
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    for (scenario, named, branch) in [("open-none", "My Shop", None), ("open-no-branch", "quiet-river-11112222", Some("dev"))] {
        let (replay, cloud) = replay(&[scenario]).await;
        assert_eq!(cloud.open(named, branch).await.unwrap(), None, "{scenario}");
        replay.finish();
    }
}

#[tokio::test]
async fn a_branch_without_a_compute_is_told() {
    let (replay, cloud) = replay(&["open-no-compute"]).await;
    let error = cloud.open("quiet-river-11112222", None).await.unwrap_err();
    assert!(error.message().contains("br-calm-sun-a1b2c3d4") && error.remedy().unwrap().contains("add a primary compute"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_key_of_one_project_opens_that_one_alone() {
    let (replay, cloud) = replay(&["open-project-key"]).await;
    let error = cloud.open("other-hill-99998888", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.remedy().unwrap().contains("--existing-project"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn settings_are_read() {
    let (replay, cloud) = replay(&["settings"]).await;
    let expected = TargetSettings { compute: "0.25-2".parse().ok(), suspend_seconds: Some(300), history_seconds: Some(86_400) };
    assert_eq!(cloud.settings(&shop()).await.unwrap(), expected);
    replay.finish();
}

#[tokio::test]
async fn settings_are_changed_where_they_differ_and_as_far_as_the_plan_allows() {
    for (scenario, wanted) in [
        ("settings-change", larger(Some(604_800))),
        ("settings-same", TargetSettings { suspend_seconds: Some(-1), history_seconds: Some(86_400), ..TargetSettings::default() }),
        ("settings-plan", larger(Some(2_592_000))),
    ] {
        let (replay, cloud) = replay(&[scenario]).await;
        cloud.change_settings(&shop(), &wanted).await.unwrap_or_else(|error| panic!("{scenario}: {error}"));
        replay.finish();
    }
}

#[tokio::test]
async fn a_compute_that_the_plan_does_not_have_is_an_error_with_the_way_out() {
    let (replay, cloud) = replay(&["settings-too-large"]).await;
    let wanted = TargetSettings { suspend_seconds: None, ..larger(None) };
    let error = cloud.change_settings(&shop(), &wanted).await.unwrap_err();
    assert!(error.message().contains("compute of 2-8 CU") && error.message().contains("limit of 2"), "{error}");
    assert!(error.remedy().unwrap().contains("`migration_compute`"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn database_and_role_are_deleted_once_or_found_gone() {
    let (replay, cloud) = replay(&["delete-database"]).await;
    cloud.delete_database(&shop(), "billing").await.unwrap();
    cloud.delete_role(&shop(), "billing_owner").await.unwrap();
    cloud.delete_role(&shop(), "billing_owner").await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn roles_are_listed() {
    let (replay, cloud) = replay(&["roles"]).await;
    assert_eq!(cloud.roles(&shop()).await.unwrap(), ["shop_owner"]);
    replay.finish();
}

#[tokio::test]
async fn the_password_of_a_role_that_others_use_is_not_replaced() {
    let (replay, cloud) = replay(&["connection-not-kept"]).await;
    let error = cloud.connection(&shop(), &shop_database(), LostPassword::Fail).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("lock out") && error.remedy().unwrap().contains("`role`"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_branch_is_created_once_with_a_compute_of_its_own() {
    for scenario in ["create-branch", "create-branch-lost"] {
        let (replay, cloud) = replay(&[scenario]).await;
        let dry = TargetProject { branch: "br-new-leaf-0a1b2c3d".to_owned(), endpoint: "ep-new-dew-0d1e2f3a".to_owned(), ..shop() };
        assert_eq!(cloud.create_branch(&shop(), "dry").await.unwrap(), dry, "{scenario}");
        replay.finish();
    }
}

#[tokio::test]
async fn a_limit_of_branches_is_told() {
    let (replay, cloud) = replay(&["create-branch-limit"]).await;
    let error = cloud.create_branch(&shop(), "dry").await.unwrap_err();
    assert!(error.message().contains("BRANCHES_LIMIT_EXCEEDED") && error.remedy().unwrap().contains("Billing"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_branch_is_deleted_once_or_found_gone() {
    let (replay, cloud) = replay(&["delete-branch"]).await;
    cloud.delete_branch(&shop(), "dry").await.unwrap();
    cloud.delete_branch(&shop(), "dry").await.unwrap();
    replay.finish();
}
