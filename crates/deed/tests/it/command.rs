//! Commands that end by themselves.

use std::io::Write;
use std::process::{Command, Stdio};

/// What a command said, and how it ended.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `deed` with nothing but `variables` in its environment.
pub(crate) fn deed(arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    deed_reading(arguments, variables, b"")
}

/// The same, with standard input.
pub(crate) fn deed_reading(
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: &[u8],
) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_deed"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
