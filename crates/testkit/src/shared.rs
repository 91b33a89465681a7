//! The server that all test processes of a workspace share when no URL is given.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use tokio_postgres::NoTls;

use crate::instance::{Instance, base, hold};

/// How long the shared server outlives its last user, so that the next test finds it.
const IDLE: Duration = Duration::from_secs(60);

/// The superuser's URL of the shared server, which now counts this process among its holders.
pub(crate) async fn acquire() -> String {
    let base = base();
    let lock = File::create(base.join("lock")).expect("the lock file can be created");
    // Blocks this thread: the tests of this process cannot go on without the server anyway.
    lock.lock().expect("the lock can be taken");
    for entry in fs::read_dir(&base).expect("the test folder can be read").flatten() {
        if entry.file_name().to_string_lossy().starts_with("shared-")
            && let Some(url) = reuse(&entry.path()).await
        {
            return url;
        }
    }
    let folder = base.join(format!("shared-{}", std::process::id()));
    let instance = Instance::start(folder, IDLE).await;
    let endpoint = instance.cluster.detach();
    endpoint.superuser_tcp_url("postgres")
}

/// Holds the server of `folder` unless it is retired; removes what a crash of the machine left.
async fn reuse(folder: &Path) -> Option<String> {
    let url = fs::read_to_string(folder.join("url")).ok()?;
    hold(folder);
    if let Ok((_client, _connection)) = tokio_postgres::connect(&url, NoTls).await {
        // Retired between our look and our hold? Then its watchdog has removed the url first.
        return folder.join("url").exists().then_some(url);
    }
    if let Err(e) = fs::remove_dir_all(folder) {
        assert_eq!(e.kind(), std::io::ErrorKind::NotFound, "removing {}: {e}", folder.display());
    }
    None
}
