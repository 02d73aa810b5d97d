//! The child that cleans up after us, however we end.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, ChildStdin, Command};

use crate::error::{Doing, Result};

/// Waits until our end of the pipe is closed, which the kernel does even after SIGKILL; then stops every server below the folder,
/// and removes the folder and the files that were written for the user.
///
/// A server is known by its own postmaster.pid, and killed only if that process works in that data folder: a process id may have been
/// given to somebody else meanwhile. Servers that start just now are met in a later round.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
root=$1; shift
cat >/dev/null
signal() {
  alive=0
  for file in "$root"/*/data/postmaster.pid; do
    [ -f "$file" ] || continue
    read -r pid <"$file" || continue
    [ "$(readlink "/proc/$pid/cwd")" = "${file%/postmaster.pid}" ] || continue
    alive=1
    kill "-$1" "$pid"
  done
  [ $alive = 1 ]
}
settle() { for _ in 1 2 3 4 5 6 7 8 9 10; do signal 0 || return 0; sleep 0.2; done; }
if signal INT; then settle; fi
if signal QUIT; then settle; fi
for file in "$@"; do rm -f "$file"; done
if [ $# -gt 0 ]; then rmdir "${1%/*}"; fi
rm -rf "$root"
sleep 0.5
rm -rf "$root"
"#;

/// A running guardian; dropping it is the signal to clean up.
pub(super) struct Guardian {
    pipe: ChildStdin,
    child: Child,
}

impl Guardian {
    /// Starts the guardian of that temporary folder; the files are removed too, and the folder of the first of them if it is empty then.
    pub(super) fn start(root: &Path, files: &[PathBuf]) -> Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "azure2neon-guardian"])
            .arg(root)
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C reaches the whole foreground group; the guardian has to outlive it.
            .process_group(0)
            .spawn()
            .doing(|| "starting the process that cleans up")?;
        let pipe = child.stdin.take().ok_or_else(|| crate::error::Error::new("the process that cleans up has no pipe"))?;
        Ok(Self { pipe, child })
    }

    /// Lets the guardian do its work now and waits for its end.
    pub(super) async fn clean_up(self) -> Result<()> {
        let Self { pipe, mut child } = self;
        drop(pipe);
        child.wait().await.doing(|| "waiting for the process that cleans up").map(drop)
    }
}
