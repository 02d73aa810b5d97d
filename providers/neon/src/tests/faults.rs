//! What goes wrong, and what becomes of it.

use super::*;

#[tokio::test]
async fn a_wrong_key_is_a_matter_of_credentials() {
    let (replay, cloud) = replay(&["wrong-key"]).await;
    let error = cloud.identity().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.remedy().unwrap().contains("NEON_API_KEY"));
    replay.finish();
}

#[tokio::test]
async fn a_key_of_one_project_may_not_list() {
    let (replay, cloud) = replay(&["project-key"]).await;
    assert_eq!(cloud.find("shop").await.unwrap_err().kind(), ErrorKind::Permission);
    replay.finish();
}

#[tokio::test]
async fn several_organisations_need_a_choice() {
    let (replay, cloud) = replay(&["several-orgs"]).await;
    let error = cloud.find("shop").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("org-loud-2") && error.remedy().unwrap().contains("--org-id"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_project_whose_answer_is_lost_is_not_made_twice() {
    for scenario in ["create-lost", "create-lost-before"] {
        let (replay, cloud) = replay(&[scenario]).await;
        assert_eq!(cloud.create(&spec()).await.unwrap(), shop(), "{scenario}");
        replay.finish();
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_left_alone() {
    let (replay, cloud) = replay(&["create-taken"]).await;
    assert_eq!(cloud.create(&spec()).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    replay.finish();
}

#[tokio::test]
async fn a_closed_region_is_refused_without_a_request() {
    let (replay, cloud) = replay(&[]).await;
    let error = cloud.create(&ProjectSpec { region: "azure-eastus2".to_owned(), ..spec() }).await.unwrap_err();
    assert!(error.message().contains("aws-us-east-1"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_limit_is_told() {
    let (replay, cloud) = replay(&["create-limit"]).await;
    let error = cloud.create(&spec()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cloud);
    assert!(error.message().contains("PROJECTS_LIMIT_EXCEEDED") && error.remedy().unwrap().contains("--existing-project"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_database_that_exists_is_no_error() {
    let (replay, cloud) = replay(&["create-database-exists"]).await;
    cloud.create_database(&shop(), &billing()).await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_again_though_it_is_a_write() {
    let (replay, cloud) = replay(&["branch-not-ready"]).await;
    cloud.create_database(&shop(), &billing()).await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn an_operation_that_fails_keeps_its_reason() {
    for scenario in ["operation-failed", "operation-keeps-failing"] {
        let (replay, cloud) = replay(&[scenario]).await;
        let error = cloud.create_database(&shop(), &billing()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cloud);
        assert!(error.message().contains("apply_config") && error.message().contains("compute did not start"), "{error}");
        replay.finish();
    }
}

#[tokio::test]
async fn pages_of_a_proxy_and_lost_answers_are_passed_over() {
    let (replay, cloud) = replay(&["flaky"]).await;
    assert_eq!(cloud.databases(&shop()).await.unwrap(), []);
    replay.finish();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (replay, cloud) = replay(&["redirect"]).await;
    assert_eq!(cloud.identity().await.unwrap_err().kind(), ErrorKind::Cloud);
    replay.finish();
}

#[tokio::test]
async fn a_missing_role_is_told_with_the_request() {
    let (replay, cloud) = replay(&["connection-missing"]).await;
    let error = cloud.connection(&shop(), &shop_database(), LostPassword::Replace).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("11110000-2222-4333-8444-555566667777"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn no_connection_names_the_host() {
    let cloud = NeonCloud::with_pace(settings("http://127.0.0.1:9"), fast()).unwrap();
    let error = cloud.identity().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("127.0.0.1"), "{error}");
}

#[test]
fn bad_keys_are_refused_at_once() {
    for key in ["", "  ", "a\nb"] {
        let mut bad = settings("http://localhost:9");
        bad.api_key = SecretString::from(key);
        assert_eq!(NeonCloud::new(bad).err().unwrap().kind(), ErrorKind::Configuration);
    }
}
