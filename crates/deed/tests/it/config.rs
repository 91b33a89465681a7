//! `deed config`, and processes that refuse to start.

use crate::command::deed;

const SECRET_URL: &str = "postgres://deed_app:hunter2@db/deed";

#[test]
fn config_shows_values_and_origins_but_no_secret() {
    let shown = deed(&["config"], &[("DATABASE_URL", SECRET_URL), ("LOG_LEVEL", "debug")]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    assert!(shown.stdout.contains("<redacted>") && !shown.stdout.contains("hunter2"));
    let json = deed(&["config", "--json"], &[("LOG_LEVEL", "debug")]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let level = json["settings"].as_array().unwrap().iter().find(|s| s["name"] == "LOG_LEVEL");
    assert_eq!(level.unwrap()["origin"], "environment");
}

#[test]
fn config_fails_when_something_is_wrong() {
    let shown = deed(&["config"], &[("LOG_LEVEL", "loud"), ("HTTP_MAX_BODY", "1")]);
    assert_eq!(shown.code, 1);
    assert!(shown.stdout.contains("LOG_LEVEL is \"loud\""), "{}", shown.stdout);
    assert!(shown.stdout.contains("HTTP_MAX_BODY is not a setting"), "{}", shown.stdout);
}

#[test]
fn config_describes_every_variable() {
    let described = deed(&["config", "--describe"], &[]);
    assert!(described.stdout.starts_with("# Configuration"), "{}", described.stdout);
}

#[test]
fn processes_name_all_that_keeps_them_from_starting() {
    for process in ["api", "worker", "migrate"] {
        let outcome = deed(&[process], &[("VAULT_SIGNING_KEY", "c2VjcmV0"), ("LOG_FORMAT", "xml")]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
        for part in
            ["VAULT_SIGNING_KEY has a value", "LOG_FORMAT is \"xml\"", "ISSUER_URL is not set"]
        {
            assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
        }
        assert!(!outcome.stderr.contains("c2VjcmV0"), "{}", outcome.stderr);
    }
}
