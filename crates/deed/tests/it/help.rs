//! What a newcomer sees first.

use crate::command::deed;

#[test]
fn every_command_explains_itself() {
    let help = deed(&["--help"], &[]);
    assert_eq!(help.code, 0);
    let commands = ["up", "api", "worker", "migrate", "config", "keys", "verify", "version"];
    for command in commands {
        assert!(help.stdout.contains(&format!("  {command}")), "{}", help.stdout);
        let own = deed(&[command, "--help"], &[]);
        assert_eq!((own.code, own.stderr.as_str()), (0, ""));
    }
    for arguments in [&["keys", "generate", "--help"][..], &["up", "--help"], &["verify", "--help"]]
    {
        assert!(deed(arguments, &[]).stdout.contains("Example"), "{arguments:?}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [&[][..], &["nonsense"], &["verify"], &["up", "--port", "x"], &["keys"]] {
        let outcome = deed(arguments, &[]);
        assert_eq!(outcome.code, 2, "{arguments:?}");
        assert!(outcome.stderr.contains("--help"), "{}", outcome.stderr);
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(deed(&["version"], &[]).stdout.starts_with(&format!("deed {version} ")));
    let json: serde_json::Value =
        serde_json::from_str(&deed(&["version", "--json"], &[]).stdout).unwrap();
    assert_eq!(json["version"], version);
    assert!(json["schemaVersion"].as_i64().unwrap() >= 1);
}
