//! `deed-testkit COMMAND [ARGUMENT...]` runs a command with `DEED_TEST_DATABASE_URL` set to a
//! PostgreSQL of its own, and ends with the command's exit code.
#![allow(clippy::print_stderr)]

use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: deed-testkit COMMAND [ARGUMENT...]");
        return ExitCode::from(2);
    };
    let arguments: Vec<String> = arguments.collect();
    let status = deed_testkit::with_postgres(&program, &arguments).await;
    // As a shell says it: the exit code, or 128 and the number of the signal.
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
