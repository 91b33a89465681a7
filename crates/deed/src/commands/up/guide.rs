//! What `deed up` says to the person at the terminal.

use std::net::SocketAddr;
use std::path::Path;

use super::first_record::{EXPORT, KEYS, Verified};
use super::folder::Folder;

/// The platform key, which is shown only now.
pub(super) fn platform_key(key: &str, folder: &Folder) -> String {
    let (environment, deed) = (quoted(&folder.join("secrets/deed.env")), program());
    format!(
        "\nYour platform API key. It is stored nowhere and will not be shown again:\n\n    {key}\n\n\
         To make another one while `deed up` is running:\n\n    \
         (set -a; . {environment}; {deed} keys platform)\n"
    )
}

/// That the first record is verified, and what to try next.
pub(super) fn verified(found: &Verified, address: SocketAddr, folder: &Folder) -> String {
    let Verified { id, position, hash, signatures } = found;
    let (url, path) = (format!("http://{address}"), |name: &str| quoted(&folder.join(name)));
    let (agent_key, export, keys) = (path("secrets/agent-key"), path(EXPORT), path(KEYS));
    let deed = program();
    format!(
        "verified  record {id}\n          entry {position}, hash {hash}\n          \
         offline, with {signatures} signatures, trusting only the key of the genesis statement\n\n\
         Deed serves {url} (API reference: {url}/docs)\n\n\
         Try next, in another terminal:\n\n  \
         # notarize something, as the agent that was made for you\n  \
         KEY=$(cat {agent_key})\n  \
         curl -s {url}/v1/records -H \"Authorization: Bearer $KEY\" \\\n    \
         -H 'Content-Type: application/json' \\\n    \
         -d '{{\"type\":\"notarize-generic-v1\",\"criteria\":{{\"summary\":\"Sent invoice 4711\"}}}}'\n\n  \
         # read the first record, and export it\n  \
         curl -s {url}/v1/records/{id} -H \"Authorization: Bearer $KEY\"\n  \
         curl -s {url}/v1/records/{id}/audit-export -H \"Authorization: Bearer $KEY\" > export.json\n\n  \
         # verify an export without the server\n  \
         {deed} verify {export} --keys {keys}\n\n\
         Ctrl-C stops everything. The data stay in {}.",
        folder.path().display(),
    )
}

/// This program, as a shell finds it.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "deed".to_owned(), |path| quoted(&path))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// A text as one word of a shell.
pub(super) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
