use azure2neon_core::access::Access;
use azure2neon_core::context::Clouds;
use azure2neon_core::dry_restore::DryRestore;
use azure2neon_core::journal::RunFolder;
use azure2neon_core::plan::Plan;
use azure2neon_core::{Error, ErrorKind, Result};

use super::stop_signal;
use crate::args::Output;
use crate::config::Config;
use crate::render;

/// The checks whose findings mean that nothing can be made at Neon.
const RULE_OUT: [&str; 2] = ["region-closed", "key-of-one-project"];

/// The error for a run that is under way.
pub fn is_too_late(plan: &Plan) -> Error {
    Error::new(ErrorKind::RunFolder, format!("the run {} is begun, and a dry restore comes before it", plan.run))
        .hint("leave --dry-restore out; or name another folder with --run-dir")
}

/// Restores the schema into a throwaway place and adds to the plan what came of it, before all else.
pub async fn add(config: &Config, (clouds, access): (&Clouds, &Access), plan: &mut Plan) -> Result<()> {
    // To stderr, whatever the output: on stdout the plan is the only document.
    let events = render::events(Output::Text);
    if let Some(finding) = plan.findings.iter().find(|finding| RULE_OUT.contains(&finding.id.as_str())) {
        events.notice(format!("No dry restore, since there is no place for it: {}", finding.what));
        return Ok(());
    }
    let is_new = !config.run_folder.exists();
    let folder = RunFolder::open(&config.run_folder)?;
    if let Some(begun) = folder.plan()? {
        return Err(is_too_late(&begun));
    }
    let restore = DryRestore { plan, settings: &config.settings, clouds, access, folder: &folder, events: &events };
    let found = restore.run(stop_signal()?).await;
    if is_new && !azure2neon_core::dry_restore::is_left_over(folder.path())? {
        folder.discard(&[]);
    }
    plan.findings.splice(..0, found?);
    Ok(())
}
