//! A child process whose output a test can wait on.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// Variables that a child gets without asking: none of these configures Deed itself.
const INHERITED: [&str; 9] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "XDG_CACHE_HOME",
    "DEED_POSTGRES_BIN",
    "DEED_POSTGRES_USER",
    "RUST_BACKTRACE",
];

/// How long a child that is to end politely at drop may take.
const POLITE: Duration = Duration::from_secs(20);

/// Describes a child process; only a few harmless variables of our environment reach it.
#[derive(Debug)]
pub struct ProcessBuilder {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    polite: bool,
}

impl ProcessBuilder {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// At drop sends SIGTERM and waits up to 20 s before SIGKILL: for a child with children of its
    /// own, such as `deed up`.
    #[must_use]
    pub fn terminate_on_drop(mut self) -> Self {
        self.polite = true;
        self
    }

    /// Starts the process.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(self) -> Process {
        let mut command = Command::new(&self.program);
        command.args(self.arguments).env_clear();
        let inherited = INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        command.envs(inherited).envs(self.variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|e| panic!("starting {}: {e}", self.program.display()));
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).expect("a process id");
        // The senders live in the two readers: both gone means that all output has been read.
        let (sender, changed) = watch::channel(());
        let lines = Arc::default();
        let stdout = child.stdout.take().expect("its standard output");
        let stderr = child.stderr.take().expect("its standard error");
        tokio::spawn(read_lines(stdout, Arc::clone(&lines), sender.clone()));
        tokio::spawn(read_lines(stderr, Arc::clone(&lines), sender));
        Process { child, pid: Pid::from_raw(pid), lines, changed, seen: 0, polite: self.polite }
    }
}

async fn read_lines(
    stream: impl AsyncRead + Unpin,
    lines: Arc<Mutex<Vec<String>>>,
    changed: watch::Sender<()>,
) {
    let mut reader = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = reader.next_segment().await {
        let line = String::from_utf8_lossy(&line).into_owned();
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        changed.send_replace(());
    }
}

/// A running child process; dropping it kills it (see [`ProcessBuilder::terminate_on_drop`]).
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    lines: Arc<Mutex<Vec<String>>>,
    changed: watch::Receiver<()>,
    seen: usize,
    polite: bool,
}

impl Process {
    /// Describes a process, for example of `env!("CARGO_BIN_EXE_deed")`.
    pub fn builder(program: impl Into<PathBuf>) -> ProcessBuilder {
        let (arguments, variables) = (Vec::new(), Vec::new());
        ProcessBuilder { program: program.into(), arguments, variables, polite: false }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The next line of standard output or error that `wanted` accepts, after the line that the
    /// last call returned.
    ///
    /// # Panics
    /// With all output, when the process closes its output or `deadline` passes first.
    pub async fn wait_line(&mut self, wanted: impl Fn(&str) -> bool, deadline: Duration) -> String {
        let end = Instant::now() + deadline;
        loop {
            self.changed.borrow_and_update();
            if let Some(line) = self.next_match(&wanted) {
                return line;
            }
            let left = end.saturating_duration_since(Instant::now());
            match timeout(left, self.changed.changed()).await {
                Ok(Ok(())) => {}
                // The readers have ended: what they added last is seen by one more look.
                Ok(Err(_)) => match self.next_match(&wanted) {
                    Some(line) => return line,
                    None => panic!("the process ended without the line: {}", self.transcript()),
                },
                Err(_) => panic!("no such line within {deadline:?}: {}", self.transcript()),
            }
        }
    }

    fn next_match(&mut self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (self.seen..lines.len()).find(|at| wanted(&lines[*at]))?;
        self.seen = at + 1;
        Some(lines[at].clone())
    }

    /// All lines so far, standard output and error mixed as they came.
    #[must_use]
    pub fn output(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn transcript(&self) -> String {
        let mut text = String::new();
        for line in self.output() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  | {line}");
        }
        text
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process has ended and was waited for.
    pub fn signal(&self, signal: Signal) {
        assert!(self.child.id().is_some(), "the process has ended");
        kill(self.pid, signal).expect("the signal is sent");
    }

    /// SIGKILL.
    pub fn kill9(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// SIGSTOP: it stands still until [`Process::cont`].
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn cont(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Waits for the end of the process and of its output.
    ///
    /// # Panics
    /// With all output, when `deadline` passes first.
    pub async fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        let both = async {
            let status = self.child.wait().await.expect("the process can be waited for");
            while self.changed.changed().await.is_ok() {}
            status
        };
        match timeout(deadline, both).await {
            Ok(status) => status,
            Err(_) => panic!("it did not end within {deadline:?}: {}", self.transcript()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let running = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        if self.polite && running(&mut self.child) && kill(self.pid, Signal::SIGTERM).is_ok() {
            let end = Instant::now() + POLITE;
            while running(&mut self.child) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if running(&mut self.child) && kill(self.pid, Signal::SIGKILL).is_err() {
            panic_unless_panicking(&format!("process {} could not be killed", self.pid));
        }
    }
}

fn panic_unless_panicking(message: &str) {
    assert!(std::thread::panicking(), "{message}");
}
