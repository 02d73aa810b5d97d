//! Neon's API and the computes behind it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use azure2neon_local_cloud::{Fault, Plan};
use common::{one, rig};
use serde_json::json;

#[tokio::test]
async fn a_project_is_a_postgresql_of_the_major_that_was_asked_for() {
    let rig = rig(|_| ()).await;
    for major in [16, 17, 18] {
        let created = rig
            .create_project(json!({ "name": format!("pg{major}"), "region_id": "aws-eu-west-2", "pg_version": major,
                "branch": { "role_name": "app_owner", "database_name": "app" },
                "default_endpoint_settings": { "autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 2, "suspend_timeout_seconds": -1 } }))
            .await;
        let client = rig.target(&created).await.unwrap();
        assert!(one(&client, "show server_version").await.starts_with(&major.to_string()));
        for (parameter, value) in [
            ("wal_level", "replica"),
            ("max_replication_slots", "10"),
            ("max_logical_replication_workers", "4"),
            ("max_sync_workers_per_subscription", "2"),
            ("idle_in_transaction_session_timeout", "5min"),
            ("max_worker_processes", "16"),
        ] {
            assert_eq!(one(&client, &format!("show {parameter}")).await, value, "{parameter}");
        }
        assert_eq!(
            one(&client, "select rolsuper || ' ' || rolreplication || ' ' || rolbypassrls from pg_roles where rolname = current_user")
                .await,
            "false true true"
        );
        let provider = if major >= 17 { "b" } else { "c" };
        assert_eq!(one(&client, "select datlocprovider::text from pg_database where datname = current_database()").await, provider);
        assert!(one(&client, "select ssl::text from pg_stat_ssl where pid = pg_backend_pid()").await == "true");
        client.batch_execute("create extension dblink; create table t (id int primary key); create schema s").await.unwrap();
        assert_eq!(created["endpoints"][0]["suspend_timeout_seconds"], -1);
    }
    assert_eq!(rig.cloud.projects(), ["pg16", "pg17", "pg18"]);
    rig.stop().await;
}

#[tokio::test]
async fn a_second_change_has_to_wait_for_the_first() {
    let rig = rig(|_| ()).await;
    let body = json!({ "project": { "name": "shop", "org_id": rig.endpoint("/neon/organization"), "some_new_field": 1 } });
    let created = rig.neon("POST", "/projects", Some(body)).await;
    assert_eq!(created.status, 201);
    let id = created.body["project"]["id"].as_str().unwrap().to_owned();
    assert_eq!(created.body["endpoints"][0]["current_state"], "init");
    let branch = created.body["branch"]["id"].as_str().unwrap().to_owned();
    let path = format!("/projects/{id}/branches/{branch}");
    let another = json!({ "database": { "name": "another", "owner_name": "neondb_owner" } });
    let locked = rig.neon("POST", &format!("{path}/databases"), Some(another.clone())).await;
    assert_eq!(locked.status, 423);
    assert!(locked.body["message"].as_str().unwrap().starts_with("project already has running conflicting operations"));
    rig.neon_wait(&created.body).await;
    let now = rig.neon("POST", &format!("{path}/databases"), Some(another)).await;
    assert_eq!(now.status, 201);
    rig.neon_wait(&now.body).await;

    // Made in SQL, and known to the API all the same.
    let client = rig.target(&created.body).await.unwrap();
    client.batch_execute("create database third").await.unwrap();
    let listed = rig.neon("GET", &format!("{path}/databases"), None).await.body;
    let names: Vec<&str> = listed["databases"].as_array().unwrap().iter().map(|database| database["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["neondb", "another", "third"]);

    // A new role ends the sessions.
    let role = rig.neon("POST", &format!("{path}/roles"), Some(json!({ "role": { "name": "reader" } }))).await;
    assert!(role.body["role"]["password"].as_str().unwrap().starts_with("npg_"));
    rig.neon_wait(&role.body).await;
    assert!(client.simple_query("select 1").await.is_err());
    let reset = rig.neon("POST", &format!("{path}/roles/neondb_owner/reset_password"), None).await.body;
    rig.neon_wait(&reset).await;
    assert!(rig.target(&created.body).await.is_err(), "the old password");
    let uri = rig.neon("GET", &format!("/projects/{id}/connection_uri?database_name=neondb&role_name=neondb_owner"), None).await.body;
    let password = reset["role"]["password"].as_str().unwrap();
    assert!(uri["uri"].as_str().unwrap().contains(&format!("neondb_owner:{password}@")));
    assert_eq!(rig.neon("GET", &format!("{path}/roles/neondb_owner/reveal_password"), None).await.body["password"], password);

    // A change of size is a new compute; a timeout is not.
    let endpoint = format!("/projects/{id}/endpoints/{}", created.body["endpoints"][0]["id"].as_str().unwrap());
    let slow = rig.neon("PATCH", &endpoint, Some(json!({ "endpoint": { "suspend_timeout_seconds": 3600 } }))).await.body;
    assert_eq!((&slow["endpoint"]["suspend_timeout_seconds"], &slow["operations"]), (&json!(3600), &json!([])));
    let suspended = rig.neon("POST", &format!("{endpoint}/suspend"), None).await.body;
    rig.neon_wait(&suspended).await;
    assert_eq!(rig.neon("GET", &endpoint, None).await.body["endpoint"]["current_state"], "idle");
    let mut woken = created.body.clone();
    woken["connection_uris"][0]["connection_parameters"]["password"] = json!(password);
    assert_eq!(one(&rig.target(&woken).await.unwrap(), "select 'awake'").await, "awake");

    assert_eq!(rig.neon("DELETE", &format!("/projects/{id}"), None).await.status, 200);
    assert_eq!(rig.neon("GET", &format!("/projects/{id}"), None).await.status, 404);
    assert!(rig.target(&woken).await.unwrap_err().as_db_error().unwrap().message().contains("could not be found"));
    rig.stop().await;
}

#[tokio::test]
async fn keys_organizations_and_lists() {
    let rig = rig(|options| options.existing_projects = vec!["old shop".to_owned(), "shop".to_owned(), "shop".to_owned()]).await;
    let organization = rig.endpoint("/neon/organization");
    let url = format!("{}/projects", rig.endpoint("/neon/https"));
    for key in [None, Some("wrong")] {
        let refused = rig.call("GET", &url, key, None).await;
        assert_eq!((refused.status, &refused.body["message"]), (401, &json!("supplied credentials do not pass authentication")));
    }
    assert_eq!(rig.neon("GET", "/auth", None).await.body["auth_method"], "api_key_user");
    let nameless = rig.neon("GET", "/projects", None).await;
    assert_eq!(nameless.status, 400);
    assert!(nameless.body["message"].as_str().unwrap().starts_with("org_id is required"));
    let organizations = rig.neon("GET", "/users/me/organizations", None).await.body;
    assert_eq!(organizations["organizations"][0]["id"], organization);

    // The last page has a cursor, the one after it has none.
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = rig.neon("GET", &format!("/projects?limit=2&org_id={organization}&cursor={cursor}&search=SHOP"), None).await.body;
        seen.extend(page["projects"].as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap().to_owned()));
        match page["pagination"]["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["old shop", "shop", "shop"]);

    for (project, what) in [
        (json!({ "region_id": "azure-eastus2" }), "azure-eastus2"),
        (json!({ "pg_version": 15 }), "15"),
        (json!({ "branch": { "database_name": "postgres" } }), "reserved"),
    ] {
        let mut project = project;
        project["org_id"] = json!(organization);
        let refused = rig.neon("POST", "/projects", Some(json!({ "project": project }))).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body["message"].as_str().unwrap().contains(what), "{}", refused.body);
    }
    assert_eq!(
        rig.neon("POST", "/projects", Some(json!({}))).await.body["message"],
        "invalid request: decode application/json: invalid: project (field required)"
    );
    rig.cloud.inject("POST", "/projects", 1, Fault::LoseAnswer);
    let lost = rig
        .http
        .post(&url)
        .bearer_auth(rig.endpoint("/neon/key"))
        .json(&json!({ "project": { "name": "lost", "org_id": organization } }))
        .send()
        .await;
    assert!(lost.is_err());
    assert!(rig.cloud.projects().contains(&"lost".to_owned()));
    rig.stop().await;
}

#[tokio::test]
async fn what_a_plan_does_not_allow_is_refused() {
    let rig = rig(|options| {
        options.plan = Plan::Free;
        options.projects_limit = 1;
    })
    .await;
    let organization = rig.endpoint("/neon/organization");
    let create = async |mut project: serde_json::Value| {
        project["org_id"] = json!(organization);
        rig.neon("POST", "/projects", Some(json!({ "project": project }))).await
    };
    let history =
        "requested history retention seconds exceeds allowed maximum; requested_history_retention_seconds:\"86400\", max:\"21600\"";
    for (project, message) in [
        (json!({ "history_retention_seconds": 86_400 }), history),
        (
            json!({ "default_endpoint_settings": { "suspend_timeout_seconds": -1 } }),
            "suspend interval changing is not allowed for your account",
        ),
        (
            json!({ "default_endpoint_settings": { "autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 4 } }),
            "invalid request: autoscaling limits 1..4 are not allowed",
        ),
    ] {
        let refused = create(project).await;
        assert_eq!((refused.status, refused.body["message"].as_str()), (400, Some(message)));
    }
    let created = create(json!({})).await;
    assert_eq!((created.status, &created.body["project"]["history_retention_seconds"]), (201, &json!(21_600)));
    rig.neon_wait(&created.body).await;
    let project = format!("/projects/{}", created.body["project"]["id"].as_str().unwrap());
    let refused = rig.neon("PATCH", &project, Some(json!({ "project": { "history_retention_seconds": 86_400 } }))).await;
    assert_eq!((refused.status, refused.body["message"].as_str()), (400, Some(history)));
    let shorter = rig.neon("PATCH", &project, Some(json!({ "project": { "history_retention_seconds": 0 } }))).await;
    assert_eq!((shorter.status, &shorter.body["project"]["history_retention_seconds"]), (200, &json!(0)));
    let endpoint = format!("{project}/endpoints/{}", created.body["endpoints"][0]["id"].as_str().unwrap());
    let refused = rig.neon("PATCH", &endpoint, Some(json!({ "endpoint": { "suspend_timeout_seconds": 0 } }))).await;
    assert_eq!(refused.body["message"], "suspend interval changing is not allowed for your account");
    let second = create(json!({})).await;
    assert_eq!((second.status, &second.body["code"]), (422, &json!("PROJECTS_LIMIT_EXCEEDED")));
    assert_eq!(second.body["message"], "user projects limit of 1 exceeded, got 1");
    rig.stop().await;
}
