//! The thresholds of the house, and whether they hold.

use super::Settings;
use super::cells::{Comparison, Results, over_rounds, ratio};

/// Bounds at one number of connections.
struct Bound {
    connections: usize,
    /// Throughput against the yardstick's, at least.
    rate_must: f64,
    rate_aim: f64,
    /// 99th percentile against the yardstick's, at most.
    p99_must: f64,
    p99_aim: f64,
}

const BOUNDS: [Bound; 4] = [
    Bound { connections: 1, rate_must: 0.40, rate_aim: 0.55, p99_must: 8.0, p99_aim: 4.0 },
    Bound { connections: 16, rate_must: 0.60, rate_aim: 0.80, p99_must: 2.0, p99_aim: 1.3 },
    Bound { connections: 64, rate_must: 1.0, rate_aim: 1.3, p99_must: 0.9, p99_aim: 0.6 },
    Bound { connections: 256, rate_must: 1.5, rate_aim: 2.0, p99_must: 0.4, p99_aim: 0.2 },
];
/// Notes to one record against notes to many, at least.
const HOT_MUST: f64 = 0.8;
/// What 1 per cent of invalid items may cost of the valid ones' rate.
const INVALID_COST_MUST: f64 = 0.05;
/// Resident memory of the API in MiB must stay under this.
const RESIDENT_MUST: f64 = 100.0;

/// One figure against its bound.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    /// Name in the figures.
    pub(crate) name: String,
    /// Measured.
    pub(crate) value: f64,
    /// Required.
    pub(crate) must: f64,
    /// Aimed at, where there is an aim beyond the requirement.
    pub(crate) aim: Option<f64>,
    /// Whether more is better.
    pub(crate) at_least: bool,
}

impl Check {
    fn at_least(name: String, value: f64, must: f64, aim: Option<f64>) -> Self {
        Self { name, value, must, aim, at_least: true }
    }

    fn at_most(name: String, value: f64, must: f64, aim: Option<f64>) -> Self {
        Self { name, value, must, aim, at_least: false }
    }

    /// Whether the requirement holds.
    pub(crate) fn holds(&self) -> bool {
        self.reaches(self.must)
    }

    /// Whether the aim is reached.
    pub(crate) fn aimed(&self) -> Option<bool> {
        self.aim.map(|aim| self.reaches(aim))
    }

    fn reaches(&self, bound: f64) -> bool {
        if self.at_least { self.value >= bound } else { self.value <= bound }
    }
}

/// All checks that the measured cells allow.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Whether every one of them holds, and there is one.
    pub(crate) pass: bool,
    /// Whether every cell was measured.
    pub(crate) complete: bool,
    /// The checks.
    pub(crate) checks: Vec<Check>,
}

/// Judges what was measured.
pub(crate) fn judge(results: &Results, settings: &Settings) -> Verdict {
    let mut checks = Vec::new();
    for comparison in &results.comparisons {
        judge_comparison(comparison, &mut checks);
    }
    if !results.hot.is_empty() {
        let value = ratio(&results.hot, &results.spread, |cell| cell.rate);
        checks.push(Check::at_least("hot_to_spread".to_owned(), value, HOT_MUST, None));
    }
    if !results.with_invalid.is_empty() {
        let kept = ratio(&results.with_invalid, &results.without_invalid, |cell| cell.rate);
        checks.push(Check::at_most("invalid_cost".to_owned(), 1.0 - kept, INVALID_COST_MUST, None));
    }
    if let Some(resident) = results.resident {
        checks.push(Check::at_most("rss_mib".to_owned(), resident.peak, RESIDENT_MUST, None));
    }
    let complete = settings.yardstick
        && results.comparisons.len() == BOUNDS.len()
        && !results.hot.is_empty()
        && !results.with_invalid.is_empty();
    Verdict { pass: !checks.is_empty() && checks.iter().all(Check::holds), complete, checks }
}

fn judge_comparison(comparison: &Comparison, checks: &mut Vec<Check>) {
    let connections = comparison.connections;
    let Some(bound) = BOUNDS.iter().find(|bound| bound.connections == connections) else { return };
    if comparison.yardstick.is_empty() {
        return;
    }
    let rate = ratio(&comparison.notarize, &comparison.yardstick, |cell| cell.rate);
    let p99 = ratio(&comparison.notarize, &comparison.yardstick, |cell| cell.p99);
    let name = format!("rate_ratio_{connections}");
    checks.push(Check::at_least(name, rate, bound.rate_must, Some(bound.rate_aim)));
    let name = format!("p99_ratio_{connections}");
    checks.push(Check::at_most(name, p99, bound.p99_must, Some(bound.p99_aim)));
}

/// The largest relative distance between two rounds of one cell: how far to trust the medians.
pub(crate) fn spread_of(comparison: &Comparison) -> f64 {
    let rates: Vec<f64> = comparison.notarize.iter().map(|cell| cell.rate).collect();
    let (low, high) = rates
        .iter()
        .fold((f64::MAX, 0.0_f64), |(low, high), &rate| (low.min(rate), high.max(rate)));
    let median = over_rounds(&comparison.notarize, |cell| cell.rate);
    if median > 0.0 { (high - low) / median } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_one_sided() {
        let at_least = |value| Check::at_least("x".to_owned(), value, 0.4, Some(0.55));
        assert!(at_least(0.4).holds() && !at_least(0.399).holds());
        assert_eq!(at_least(0.6).aimed(), Some(true));
        assert_eq!(at_least(0.5).aimed(), Some(false));
        let at_most = |value| Check::at_most("x".to_owned(), value, 100.0, None);
        assert!(at_most(100.0).holds() && !at_most(100.1).holds());
        assert_eq!(at_most(1.0).aimed(), None);
    }

    #[test]
    fn what_is_not_a_number_holds_no_bound() {
        assert!(!Check::at_least("x".to_owned(), f64::NAN, 0.4, None).holds());
        assert!(!Check::at_most("x".to_owned(), f64::NAN, 0.4, None).holds());
    }
}
