//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Signed, hash-chained records of what agents did, which anyone can verify offline.
///
/// Start here: `deed up` runs everything on this machine, with a PostgreSQL of its own, notarizes
/// a first record and verifies it. For a deployment, set the environment variables of
/// docs/configuration.md and run `deed migrate` once, then `deed api` and `deed worker`.
#[derive(Debug, Parser)]
#[command(name = "deed", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine, with a PostgreSQL of its own, until Ctrl-C
    #[command(after_help = UP)]
    Up(Up),
    /// Run an API process
    #[command(after_help = API)]
    Api,
    /// Run a worker process
    #[command(after_help = WORKER)]
    Worker,
    /// Bring the database to this version's schema; the first time, sign the genesis statement
    #[command(after_help = MIGRATE)]
    Migrate,
    /// Show the configuration in force and where each value came from; secrets are not shown
    #[command(after_help = CONFIG)]
    Config {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Describe every variable instead, as docs/configuration.md does
        #[arg(long, conflicts_with = "json")]
        describe: bool,
    },
    /// Make secrets and API keys
    #[command(subcommand, arg_required_else_help = true)]
    Keys(Keys),
    /// Verify an export offline: no server and no database, nothing trusted but a public key
    #[command(after_help = VERIFY)]
    Verify(Verify),
    /// Verify every chain in the database, and compare it with the anchors
    #[command(after_help = AUDIT)]
    Audit(Audit),
    /// Show the version
    Version {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    /// Folder for the database and the secrets [default: /var/lib/deed for root, else
    /// ~/.local/share/deed]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Port of the API on 127.0.0.1; 0 takes a free one [default: 8420]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Port of PostgreSQL on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) postgres_port: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Print a new signing key and a new API key secret, as lines for an environment file
    #[command(after_help = GENERATE)]
    Generate,
    /// Make a platform API key straight in the database; it is shown this once
    #[command(after_help = PLATFORM)]
    Platform {
        /// What the key is for, to tell it from others
        #[arg(long, default_value = "made by deed keys platform")]
        label: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The export; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The installation's public keys: a JWK, a JWK Set or a COSE Key Set, got on another way than
    /// the export
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    /// Also compare with the anchors of ANCHOR_DIRECTORY and ANCHOR_S3_*: only they show what somebody
    /// who owns database and signing key has rewritten, cut off or removed
    #[arg(long)]
    pub(crate) anchors: bool,
    /// Go on behind this record, where an audit was stopped
    #[arg(long, value_name = "RECORD")]
    pub(crate) after: Option<uuid::Uuid>,
    /// The installation's public keys, as in `deed verify`; else those that the database lists
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// Chains that are worked on at once [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) lanes: Option<u16>,
    /// Print JSON, a line a finding and the outcome last; so it is too when the output is no terminal
    #[arg(long)]
    pub(crate) json: bool,
}

const UP: &str = "\
Everything stays in the data folder; a second `deed up` finds it again. For evaluation, development
and small use: one machine, one process.

Examples:
  deed up
  deed up --data-dir ./deed-data --port 9000";

const API: &str = "\
Reads its settings from the environment (docs/configuration.md, `deed config`). SIGTERM or Ctrl-C
lets requests in flight finish; a second one ends the process at once. Any number of processes may
serve one database.

Example:
  export DATABASE_URL=postgres://deed_app:...@db.example.org/deed
  export ISSUER_URL=https://deed.example.org
  export VAULT_SIGNING_KEY_FILE=/run/secrets/signing-key
  export API_KEY_SECRET_FILE=/run/secrets/api-key-secret
  export LISTEN_ADDRESS=0.0.0.0:8420
  deed api";

const WORKER: &str = "\
Takes the same settings as `deed api`, and WORKER_LISTEN_ADDRESS for its health port.";

const MIGRATE: &str = "\
Safe to repeat, and to run from several places at once: one runs, the others wait. Needs
DATABASE_MIGRATION_URL (the role that owns the tables), VAULT_SIGNING_KEY and ISSUER_URL. The role
of DATABASE_APP_ROLE must exist; it is given the rights that `deed api` needs.

Example:
  export DATABASE_MIGRATION_URL=postgres://deed_owner:...@db.example.org/deed
  export ISSUER_URL=https://deed.example.org
  export VAULT_SIGNING_KEY_FILE=/run/secrets/signing-key
  deed migrate";

const CONFIG: &str = "\
Exit code 1 when a value is not accepted.

Examples:
  deed config
  deed config --describe
  deed config --json | jq '.settings[] | select(.origin != \"default\")'";

const GENERATE: &str = "\
Keep both: records are signed with the first, and without the second no API key is recognised.

Example:
  deed keys generate > deed.env && chmod 600 deed.env";

const PLATFORM: &str = "\
Reads the same settings as `deed api`. Standard output holds nothing but the key.

Example:
  KEY=$(deed keys platform --label ops)
  curl -H \"Authorization: Bearer $KEY\" http://127.0.0.1:8420/v1/auth/me";

const VERIFY: &str = "\
Exit code 0: every check passed, under the keys of --keys. 1: a check failed; the first failure is
named with its record and position. 2: it cannot be told: the file cannot be read, or no keys were
given, and whoever forges an export can put their own keys into it.

Examples:
  curl -H \"Authorization: Bearer $KEY\" $URL/v1/records/$ID/audit-export > export.json
  curl $URL/.well-known/deed-vault-keys.json > keys.json
  deed verify export.json --keys keys.json
  cat export.json | deed verify - --keys keys.json --json";

const AUDIT: &str = "\
Reads DATABASE_URL and ISSUER_URL, and the ANCHOR_ variables with --anchors. It needs no signing key and
no right but to read. Chains may go on meanwhile. docs/operations/audit.md is the runbook.

Exit code 0: every check passed. 1: a check failed; each finding names its record. 2: it cannot be told:
the database or an anchor could not be read, or the audit was stopped.

Examples:
  deed audit
  deed audit --anchors --keys keys.json
  deed audit --anchors | jq 'select(.fault)'
  deed audit --after 0199f000-0000-7000-8000-000000000000";
