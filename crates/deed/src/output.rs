//! Standard output: what people and scripts read. Logs go to standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard output. A reader that has gone away (`deed config | head -1`) is no
/// error: nobody is left to tell.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Writes why the process ends to standard error.
pub(crate) fn failure(text: impl Display) {
    // When even this cannot be written, the exit code still tells.
    let _ = writeln!(io::stderr().lock(), "deed: {text}");
}
