//! A bar on standard error that shows how far the audit is.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use deed_audit::Progress;

/// Characters of the bar.
const WIDTH: usize = 30;
/// Time between two pictures.
const EVERY: Duration = Duration::from_millis(100);

/// The bar; on no terminal it shows nothing.
pub(super) struct Bar {
    visible: bool,
    drawn: bool,
    started: Instant,
    last: Option<Instant>,
}

impl Bar {
    pub(super) fn new(wanted: bool) -> Self {
        let visible = wanted && std::io::stderr().is_terminal();
        Self { visible, drawn: false, started: Instant::now(), last: None }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        let due = self.last.is_none_or(|last| last.elapsed() >= EVERY);
        if !self.visible || !due {
            return;
        }
        (self.last, self.drawn) = (Some(Instant::now()), true);
        let text = picture(progress, self.started.elapsed());
        // A terminal that has gone away needs no bar.
        let mut out = std::io::stderr().lock();
        let _ = write!(out, "\r\x1b[K{text}").and_then(|()| out.flush());
    }

    /// Makes room for a line.
    pub(super) fn clear(&mut self) {
        if self.drawn {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
            self.drawn = false;
        }
    }
}

fn picture(progress: &Progress, elapsed: Duration) -> String {
    let checked = &progress.checked;
    if progress.of_records == 0 {
        return format!(
            "anchors: {} objects, {} checkpoints",
            checked.anchor_objects, checked.anchored_checkpoints
        );
    }
    let part = (checked.records as f64 / progress.of_records as f64).min(1.0);
    let full = (part * WIDTH as f64) as usize;
    let rate = checked.entries as f64 / elapsed.as_secs_f64().max(0.001);
    format!(
        "[{}{}] {:>3.0}%  {} records, {} entries, {rate:.0}/s",
        "#".repeat(full),
        " ".repeat(WIDTH - full),
        part * 100.0,
        checked.records,
        checked.entries,
    )
}

#[cfg(test)]
mod tests {
    use deed_audit::Counts;

    use super::*;

    #[test]
    fn the_bar_grows_up_to_its_end() {
        let at = |records| {
            let checked = Counts { records, entries: records * 3, ..Counts::default() };
            let progress = Progress { checked, of_records: 200, cursor: None };
            picture(&progress, Duration::from_secs(2))
        };
        assert!(at(0).starts_with("[                              ]   0%"), "{}", at(0));
        assert!(at(100).starts_with("[###############               ]  50%"), "{}", at(100));
        assert!(at(100).ends_with("100 records, 300 entries, 150/s"), "{}", at(100));
        // The number of records is a guess.
        assert!(at(500).starts_with("[##############################] 100%"), "{}", at(500));
    }
}
