//! Which ticks of a cron expression are due. No clock: the database's time is passed in.

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};

use super::{CatchUp, Schedule};

/// A tick that is later than this was missed.
const ON_TIME: TimeDelta = TimeDelta::seconds(60);
/// Missed ticks that `all` makes up for; older ones are left out.
const MOST_MISSED: usize = 1000;
impl Schedule {
    /// Whether a tick lies between what is decided and `now`, and the ticks that the policy lets
    /// happen, oldest first. `None` when there is nothing to decide.
    ///
    /// # Errors
    /// When the expression is none.
    pub fn due(&self, now: DateTime<Utc>) -> Result<Option<Vec<DateTime<Utc>>>, CronError> {
        let cron = parse(&self.cron)?;
        let now = whole(now);
        let newest = cron.find_previous_occurrence(&now, true);
        let undecided = newest.is_ok_and(|tick| tick > self.decided);
        Ok(undecided.then(|| due(&cron, self.catch_up, self.decided, now)))
    }

    /// The first tick after `now`, if there is one.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        parse(&self.cron).ok()?.find_next_occurrence(&whole(now), false).ok()
    }
}

/// The second that `now` lies in. The search keeps fractions, and a tick that had the fraction of
/// the moment in which it was found would be another tick for each worker.
fn whole(now: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now)
}

/// Reads a cron expression: five fields, or six with the seconds first.
pub(super) fn parse(cron: &str) -> Result<Cron, CronError> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(cron)
}

/// The ticks in (`decided`, `now`] that the policy lets happen, oldest first.
fn due(
    cron: &Cron,
    policy: CatchUp,
    decided: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    let most = if policy == CatchUp::All { MOST_MISSED } else { 1 };
    let mut ticks = Vec::new();
    let (mut from, mut inclusive) = (now, true);
    while ticks.len() < most {
        match cron.find_previous_occurrence(&from, inclusive) {
            Ok(tick) if tick > decided => ticks.push(tick),
            _ => break,
        }
        (from, inclusive) = (ticks[ticks.len() - 1], false);
    }
    if policy == CatchUp::Skip {
        ticks.retain(|tick| now - *tick <= ON_TIME);
    }
    ticks.reverse();
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn ticks(cron: &str, catch_up: CatchUp, decided: &str, now: &str) -> Vec<String> {
        let schedule = Schedule {
            name: "test".to_owned(),
            cron: cron.to_owned(),
            kind: "probe".to_owned(),
            catch_up,
            decided: at(decided),
            from_program: false,
            last: None,
        };
        let due = schedule.due(at(now)).expect("a cron expression").unwrap_or_default();
        due.iter().map(|tick| tick.format("%H:%M:%S%.f").to_string()).collect()
    }

    #[test]
    fn a_tick_is_due_from_its_very_time_on_and_once() {
        let decided = "2026-01-01T00:00:59Z";
        let at_minute = |now| ticks("* * * * *", CatchUp::All, decided, now);
        assert_eq!(at_minute("2026-01-01T00:00:59.999Z"), [""; 0]);
        assert_eq!(at_minute("2026-01-01T00:01:00Z"), ["00:01:00"]);
        assert_eq!(at_minute("2026-01-01T00:01:59Z"), ["00:01:00"]);
        let again =
            ticks("* * * * *", CatchUp::All, "2026-01-01T00:01:00Z", "2026-01-01T00:01:59Z");
        assert_eq!(again, [""; 0]);
    }

    #[test]
    fn policies_differ_in_what_they_make_up_for() {
        let (decided, now) = ("2026-01-01T00:00:30Z", "2026-01-01T00:03:30Z");
        let of = |policy| ticks("* * * * *", policy, decided, now);
        assert_eq!(of(CatchUp::All), ["00:01:00", "00:02:00", "00:03:00"]);
        assert_eq!(of(CatchUp::Latest), ["00:03:00"]);
        assert_eq!(of(CatchUp::Skip), ["00:03:00"], "half a minute late is on time");
        let hourly = |policy| ticks("0 * * * *", policy, decided, "2026-01-01T02:10:00Z");
        assert_eq!(hourly(CatchUp::Latest), ["02:00:00"]);
        assert_eq!(hourly(CatchUp::Skip), [""; 0], "ten minutes late is missed");
    }

    #[test]
    fn all_is_bounded_and_keeps_the_newest() {
        let all =
            ticks("* * * * * *", CatchUp::All, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00.500Z");
        assert_eq!(all.len(), MOST_MISSED);
        assert_eq!(all.last().map(String::as_str), Some("00:00:00"));
    }

    #[test]
    fn seconds_are_optional_and_years_are_not_known() {
        assert!(parse("*/5 * * * * *").is_ok());
        assert!(parse("* * * * * * 2026").is_err());
        assert!(parse("61 * * * *").is_err());
    }
}
