//! With the Azure CLI instead of a secret: as whom, how often, and what is said when nobody is logged in.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use azure2neon_tests::Rig;

/// A plan without a service principal, with this script in the place of `az`; each of its runs leaves a line in `az.runs`.
fn plan_with_az(rig: &Rig, script: &str) -> Command {
    let folder = rig.env_file().with_file_name("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let az = folder.join("az");
    std::fs::write(&az, format!("#!/bin/sh\necho \"$*\" >> {}/az.runs\n{script}\n", folder.display())).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = rig.program(&["plan"]);
    command.env_remove("AZURE_CLIENT_SECRET").env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn through_az() {
    let rig = Rig::small(|_| {}).await;
    let endpoints = rig.endpoints();
    let token = endpoints["arm"]["token"].as_str().unwrap();
    let answer = serde_json::json!({ "accessToken": token, "expires_on": 4102444800_u64, "tokenType": "Bearer" });
    let outcome = rig.finish(plan_with_az(&rig, &format!("echo '{answer}'"))).await.expect_success();
    assert!(outcome.stdout.contains("on Azure as the login of the Azure CLI"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains(token) && !outcome.stderr.contains(token));
    let runs = std::fs::read_to_string(rig.env_file().with_file_name("bin/az.runs")).unwrap();
    let expected = format!(
        "account get-access-token -o json --scope https://management.azure.com/.default --subscription {}\n",
        endpoints["subscription"].as_str().unwrap()
    );
    assert_eq!(runs, expected, "once for all requests");

    let refused = plan_with_az(&rig, "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    let words =
        ["Please run 'az login'", "azd not found on PATH", "AZURE_CLIENT_SECRET is not set", "--azure-credential", "run `az login`"];
    rig.finish(refused).await.expect_failure(3, &words);
    let mut forced = plan_with_az(&rig, "exit 1");
    forced.args(["--azure-credential", "workload-identity"]);
    rig.finish(forced).await.expect_failure(2, &["AZURE_FEDERATED_TOKEN_FILE", "--azure-credential azure-cli"]);
    rig.stop().await;
}
