//! `deed keys generate`.

use crate::command::deed;

/// Name and value of each line that `deed keys generate` prints.
pub(crate) fn generated() -> Vec<(String, String)> {
    let generated = deed(&["keys", "generate"], &[]);
    assert_eq!((generated.code, generated.stderr.as_str()), (0, ""));
    let pairs = generated.stdout.lines().map(|line| line.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn generated_secrets_are_accepted_and_never_the_same() {
    let (first, second) = (generated(), generated());
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["VAULT_SIGNING_KEY", "API_KEY_SECRET"]);
    assert!(first.iter().zip(&second).all(|(a, b)| a.1 != b.1));
    let variables: Vec<_> = first.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(deed(&["config"], &variables).code, 0);
}
