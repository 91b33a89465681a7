//! PostgreSQL for `deed up`: found or fetched, started, and made ready for the processes.

use anyhow::{Context as _, Result};
use deed_api::Secret;
use deed_embedded::{Cluster, Endpoint, Options, Search, data_major_version, default_cache_dir};
use deed_store::provision::{Login, Provision, provision};
use deed_store::{Signer, Store, random};

use super::folder::Folder;
use super::guide::shell_word;
use crate::commands::{connect_with, keys, migrate};
use crate::config::{Identity, Settings};
use crate::output;

const DATABASE: &str = "deed";
const OWNER: &str = "deed_owner";
const APP: &str = "deed_app";

/// Finds PostgreSQL and starts it on the data folder.
pub(super) async fn start(folder: &Folder, port: Option<u16>) -> Result<Cluster> {
    let progress = |step: &str| {
        // Progress that nobody reads is no reason to stop.
        let _ = output::line(step);
    };
    let data = folder.join("postgres");
    let mut search = Search::new(default_cache_dir())?;
    search.major = data_major_version(&data);
    let binaries = deed_embedded::find_or_fetch(&search, &progress).await?;
    progress(&format!("Starting PostgreSQL {}", binaries.version()));
    let mut options = Options::new(binaries, data);
    options.port = port;
    Cluster::start(options, &progress).await.map_err(|error| match error {
        error @ deed_embedded::Error::PortTaken { .. } => {
            anyhow::Error::new(error).context("use --postgres-port")
        }
        error => error.into(),
    })
}

/// A database that is ready to serve.
pub(super) struct Prepared {
    pub(super) store: Store,
    pub(super) api_key_secret: Secret,
}

/// Makes secrets, roles and the database where they are missing, migrates, and connects.
pub(super) async fn prepare(
    settings: &Settings,
    folder: &Folder,
    endpoint: &Endpoint,
    issuer: String,
) -> Result<Prepared> {
    let password = || Ok(hex(&random::bytes::<24>()));
    let owner = folder.keep("secrets/owner-password", password)?;
    let app = folder.keep("secrets/app-password", password)?;
    let signing_key = folder.keep("secrets/signing-key", || Ok(Signer::generate_pem()?))?;
    let pepper = folder.keep("secrets/api-key-secret", || Ok(keys::new_pepper()))?;
    let identity = Identity { issuer, signing_key: Secret(signing_key.into_bytes()) };

    let as_role = |url: &str| settings.store_at(url, "deed-up");
    let superuser = as_role(&endpoint.superuser_socket_url("postgres"));
    provision(&Provision {
        superuser: &superuser,
        database: DATABASE,
        owner: Login { role: OWNER, password: &owner },
        app: Login { role: APP, password: &app },
    })
    .await
    .context("the database cannot be created")?;
    let outcome =
        migrate::with(&as_role(&endpoint.socket_url(OWNER, &owner, DATABASE)), APP, &identity)
            .await?;
    if !outcome.applied.is_empty() {
        output::line(format!("Migrated to schema version {}", outcome.schema_version))?;
    }
    let store =
        connect_with(&as_role(&endpoint.socket_url(APP, &app, DATABASE)), &identity).await?;
    write_environment(folder, &identity.issuer, &endpoint.tcp_url(APP, &app, DATABASE))?;
    let api_key_secret = crate::config::read_api_key_secret(&pepper)
        .with_context(|| folder.join("secrets/api-key-secret").display().to_string())?;
    Ok(Prepared { store, api_key_secret })
}

/// The environment with which `deed keys platform` and others reach this server.
fn write_environment(folder: &Folder, issuer: &str, url: &str) -> Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut text = "# Written by `deed up` at each start.\n".to_owned();
    for (name, value) in [
        ("DATABASE_URL", url),
        ("ISSUER_URL", issuer),
        ("VAULT_SIGNING_KEY_FILE", &path("secrets/signing-key")),
        ("API_KEY_SECRET_FILE", &path("secrets/api-key-secret")),
        ("ANCHOR_DIRECTORY", &path("anchors")),
    ] {
        text.push_str(&format!("{name}={}\n", shell_word(value)));
    }
    folder.write("secrets/deed.env", text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
