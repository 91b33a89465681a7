//! How variables are found, judged and shown.

use std::io::Write as _;

use super::settings::{Origin, Settings};
use super::table::{self, TABLE};
use super::variable::{Default, Process, Variable};
use super::{Environment, show};

const PEPPER: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";
const URL: &str = "postgres://deed_app:hunter2@db/deed";
const PROCESSES: [Process; 6] =
    [Process::Api, Process::Worker, Process::Migrate, Process::Keys, Process::Audit, Process::Up];

fn faults<const N: usize>(pairs: [(&str, &str); N], process: Option<Process>) -> Vec<String> {
    let (_, faults) = Settings::survey(&Environment::from(pairs), process);
    faults.iter().map(ToString::to_string).collect()
}

/// The one fault there is.
fn fault<const N: usize>(pairs: [(&str, &str); N]) -> String {
    let mut faults = faults(pairs, None);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

fn file_with(text: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text).expect("its content");
    file
}

fn setting<'a>(settings: &'a Settings, variable: &Variable) -> &'a super::settings::Setting {
    settings.get(variable).expect("the variable is read")
}

#[test]
fn the_table_is_sound() {
    for (n, variable) in TABLE.iter().enumerate() {
        assert!(TABLE[..n].iter().all(|other| other.name != variable.name), "{}", variable.name);
        for process in [None].into_iter().chain(PROCESSES.map(Some)) {
            if let Default::Value(default) = variable.default_for(process) {
                assert!(variable.kind.read(default).is_some(), "{} = {default}", variable.name);
            }
        }
    }
}

#[test]
fn each_process_finds_all_that_it_takes() {
    let key = deed_store::Signer::generate_pem().expect("a key");
    let file = file_with(key.as_bytes());
    let path = file.path().to_str().expect("a path in UTF-8");
    let environment = Environment::from([
        ("DATABASE_URL", URL),
        ("DATABASE_MIGRATION_URL", URL),
        ("VAULT_SIGNING_KEY_FILE", path),
        ("API_KEY_SECRET", PEPPER),
        ("ISSUER_URL", "https://deed.example.org"),
    ]);
    let read = |process| Settings::read(&environment, process).expect("complete settings");

    let api = read(Process::Api);
    assert_eq!(api.store("t").url, URL);
    assert_eq!(api.identity().signing_key.0, key.trim_end().as_bytes());
    assert_eq!(api.identity().issuer, "https://deed.example.org");
    let config = api.api_with(api.api_key_secret());
    assert_eq!(config.limits.max_body_bytes, 1024 * 1024);
    assert_eq!((config.limits.drain_delay.as_secs(), config.append_queue), (3, 10_000));
    assert_eq!(api.log().level, "info");

    let worker = read(Process::Worker);
    assert_eq!((worker.store("t").pool_size, worker.worker_listen().port()), (10, 8421));
    assert_eq!(worker.http_limits().max_in_flight, 1024);
    worker.identity();
    let webhooks = worker.webhooks_with(&worker.api_key_secret()).expect("no file is named");
    assert_eq!((webhooks.concurrency, webhooks.name_servers.len()), (128, 0));

    let migrate = read(Process::Migrate);
    assert_eq!(
        (migrate.store_as_owner("t").pool_size, migrate.app_role().as_str()),
        (1, "deed_app")
    );
    migrate.identity();

    let keys = read(Process::Keys);
    keys.store("t");
    keys.identity();
    keys.api_key_secret();

    let audit = read(Process::Audit);
    assert_eq!((audit.store("t").pool_size, audit.issuer().is_some()), (1, true));
    assert!(audit.anchors(None).expect("none").is_empty());

    let up = Settings::read(&Environment::from([]), Process::Up).expect("up needs nothing");
    let config = up.api_with(api.api_key_secret());
    assert_eq!((config.limits.drain_delay.as_secs(), config.listen.port()), (0, 8420));
    assert_eq!((up.store_at(URL, "t").pool_size, up.worker_listen().port()), (10, 0));
    up.webhooks_with(&api.api_key_secret()).expect("no file is named");
    assert_eq!((up.issuer(), up.log().level.as_str()), (None, "warn"));
}

#[test]
fn anchors_are_a_folder_and_a_bucket() {
    let bucket = [
        ("ANCHOR_DIRECTORY", "/srv/anchors"),
        ("ANCHOR_S3_BUCKET", "b"),
        ("ANCHOR_S3_ENDPOINT", "http://s3.example:9000"),
        ("ANCHOR_S3_ACCESS_KEY_ID", "id-of-it"),
        ("ANCHOR_S3_SECRET_ACCESS_KEY", "secret-of-it"),
    ];
    let read = |environment: &Environment| Settings::survey(environment, Some(Process::Worker)).0;
    let settings = read(&Environment::from(bucket));
    let anchors = settings.anchors(None).expect("two anchors");
    let locations: Vec<&str> = anchors.iter().map(deed_anchor::Place::location).collect();
    assert_eq!(locations, ["file:///srv/anchors", "http://s3.example:9000/b/deed/"]);
    let shown = format!("{anchors:?} {}", show::json(&settings, &[]));
    assert!(!shown.contains("secret-of-it") && !shown.contains("id-of-it"), "{shown}");

    let half = read(&Environment::from([("ANCHOR_S3_BUCKET", "b")]));
    let fault = half.anchors(None).expect_err("no credentials").to_string();
    assert!(fault.contains("ANCHOR_S3_ACCESS_KEY_ID"), "{fault}");
    let stray = read(&Environment::from([("ANCHOR_S3_ENDPOINT", "https://s3.example")]));
    let fault = stray.anchors(None).expect_err("no bucket").to_string();
    assert!(fault.contains("ANCHOR_S3_BUCKET"), "{fault}");
    let default = read(&Environment::from([])).anchors(Some("/data/anchors".into()));
    assert_eq!(default.expect("the default")[0].location(), "file:///data/anchors");
}

#[test]
fn what_is_missing_is_named_all_at_once() {
    let faults = Settings::read(&Environment::from([]), Process::Api).expect_err("all is missing");
    let text = faults.to_string();
    for variable in TABLE {
        let missing = matches!(variable.default, Default::Required)
            && variable.is_used_by(Some(Process::Api));
        assert_eq!(text.contains(&format!("{} is not set", variable.name)), missing, "{text}");
    }
    assert!(text.contains("DATABASE_URL_FILE may name a file"), "{text}");
}

#[test]
fn a_secret_comes_from_a_file_without_its_line_end() {
    for end in ["", "\n", "\r\n"] {
        let file = file_with(format!("{PEPPER}{end}").as_bytes());
        let path = file.path().to_str().expect("a path in UTF-8");
        let environment = Environment::from([("API_KEY_SECRET_FILE", path)]);
        let (settings, faults) = Settings::survey(&environment, None);
        assert_eq!(faults, []);
        assert_eq!(settings.api_key_secret().0.len(), 32);
        let origin = &setting(&settings, &table::API_KEY_SECRET).origin;
        assert_eq!(*origin, Origin::File(file.path().to_owned()));
    }
}

#[test]
fn files_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let absent = folder.path().join("absent");
    let text = fault([("API_KEY_SECRET_FILE", absent.to_str().expect("UTF-8"))]);
    assert!(text.contains("API_KEY_SECRET_FILE names ") && text.contains("No such file"), "{text}");

    let (large, binary) = (file_with(&vec![b'A'; 100_000]), file_with(b"\xff\xfe"));
    for (file, reason) in [(large, "larger than"), (binary, "not text")] {
        let text = fault([("API_KEY_SECRET_FILE", file.path().to_str().expect("UTF-8"))]);
        assert!(text.contains(reason), "{text}");
    }
    let text = fault([("API_KEY_SECRET", PEPPER), ("API_KEY_SECRET_FILE", "/x")]);
    assert!(text.contains("API_KEY_SECRET and API_KEY_SECRET_FILE are both set"), "{text}");
    assert!(fault([("LOG_LEVEL_FILE", "/x")]).contains("nearest one is LOG_LEVEL"));
}

#[test]
fn a_misspelt_name_is_refused_with_the_nearest() {
    for (name, nearest) in [
        ("DATABASE_POOLSIZE", "DATABASE_POOL_SIZE"),
        ("DATABASE_URl", "DATABASE_URL"),
        ("VAULT_SIGNING_KEY_FIEL", "VAULT_SIGNING_KEY_FILE"),
        ("API_KEYS_SECRET", "API_KEY_SECRET"),
        ("LISTEN_ADRESS", "LISTEN_ADDRESS"),
        ("WORKER_LISTEN_ADDR", "WORKER_LISTEN_ADDRESS"),
        ("LOG_LEVL", "LOG_LEVEL"),
        ("HTTP_MAX_BODY", "HTTP_MAX_BODY_BYTES"),
        ("ISSUER_URI", "ISSUER_URL"),
        ("DEED_POSTGRES_BINS", "DEED_POSTGRES_BIN"),
    ] {
        let text = fault([(name, "x")]);
        assert!(text.starts_with(&format!("{name} is not a setting of Deed")), "{text}");
        assert!(text.contains(&format!("nearest one is {nearest};")), "{text}");
    }
}

#[test]
fn variables_of_others_are_left_alone() {
    let foreign = [
        ("PATH", "/bin"),
        ("PGHOST", "x"),
        ("LOGNAME", "me"),
        ("HTTP_PROXY", "http://proxy"),
        ("VAULT_ADDR", "https://vault"),
        ("LISTEN_FDS", "1"),
        ("API_SERVICE_HOST", "10.0.0.1"),
        ("API_SERVICE_PORT_HTTP", "80"),
        ("API_PORT", "tcp://10.0.0.1:80"),
        ("API_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("API_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(faults(foreign, None), Vec::<String>::new());
}

#[test]
fn a_value_that_is_not_accepted_is_named_with_what_is() {
    let text = fault([("HTTP_HEADER_TIMEOUT", "10")]);
    assert!(text.starts_with("HTTP_HEADER_TIMEOUT is \"10\", which is not accepted"), "{text}");
    assert!(text.contains("a duration from 10ms to 10m"), "{text}");
    assert!(fault([("CACHE_MAX_AGE", "61s")]).contains("from 0s to 1m"));
    assert!(fault([("LOG_FORMAT", "xml")]).contains("json or text"));
    assert!(fault([("DATABASE_POOL_SIZE", "")]).contains("a whole number from 1 to 1000"));
    // A process does not fail over what it does not read.
    assert!(faults([("HTTP_HEADER_TIMEOUT", "10")], Some(Process::Migrate)).is_empty());
}

#[test]
fn no_secret_is_ever_shown() {
    let secrets = ["hunter2", "c2VjcmV0", "c2VjcmV0c2VjcmV0"];
    let environment = Environment::from([
        ("DATABASE_URL", "postgres://app:hunter2@db/deed"),
        ("API_KEY_SECRET", "c2VjcmV0"),
        ("VAULT_SIGNING_KEY", "c2VjcmV0c2VjcmV0"),
    ]);
    let (settings, faults) = Settings::survey(&environment, None);
    assert_eq!(faults.len(), 2, "two are not accepted");
    for shown in [
        show::text(&settings, &faults),
        show::json(&settings, &faults).to_string(),
        format!("{settings:?} {faults:?}"),
        format!("{:?}", settings.store("t")),
    ] {
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
    let shown = show::json(&settings, &faults);
    let url = shown["settings"].as_array().expect("settings");
    let url = url.iter().find(|s| s["name"] == "DATABASE_URL").expect("the URL");
    assert_eq!((&url["value"], &url["origin"]), (&serde_json::Value::Null, &"environment".into()));
}

#[test]
fn where_a_value_came_from_is_shown() {
    let environment = Environment::from([("LOG_LEVEL", "debug")]);
    let (settings, faults) = Settings::survey(&environment, None);
    let shown = show::text(&settings, &faults);
    let line = |name: &str| {
        let line = shown.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.expect("a line for it").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("LOG_LEVEL"), "LOG_LEVEL debug environment");
    assert_eq!(line("APPEND_QUEUE"), "APPEND_QUEUE 10000 default");
    assert_eq!(
        line("DATABASE_URL"),
        "DATABASE_URL - not set; needed by api, worker, keys platform, audit"
    );
}
