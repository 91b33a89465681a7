//! The table for people and the figures for programs.

use serde_json::{Map, Value, json};

use super::cells::{Comparison, Measured, Results, over_rounds};
use super::verdict::{Check, Verdict, spread_of};
use crate::say;
use crate::stack::Environment;

/// More cores than this used by others spoil the figures.
const QUIET: f64 = 0.3;

/// Prints everything but the last line.
pub(crate) fn print(results: &Results, verdict: &Verdict, environment: &Environment) {
    environment.print();
    say!("\nmedians over the rounds");
    say!(
        "{:>11} | {:>9} {:>8} {:>8} | {:>10} {:>8} {:>8} | {:>9}",
        "connections",
        "pgbench/s",
        "p50 ms",
        "p99 ms",
        "notarize/s",
        "p50 ms",
        "p99 ms",
        "variation"
    );
    for comparison in &results.comparisons {
        let ours = row(&comparison.notarize);
        let theirs = row(&comparison.yardstick);
        say!(
            "{:>11} | {:>9.0} {:>8.2} {:>8.2} | {:>10.0} {:>8.2} {:>8.2} | {:>7.0} %",
            comparison.connections,
            theirs.0,
            theirs.1,
            theirs.2,
            ours.0,
            ours.1,
            ours.2,
            spread_of(comparison) * 100.0
        );
    }
    say!("");
    for (name, series) in others(results) {
        let (rate, p50, p99) = row(series);
        say!("{name:<34} {rate:>9.0}/s  p50 {p50:>7.2} ms  p99 {p99:>7.2} ms");
    }
    if let Some((rate, cell)) = &results.open {
        say!(
            "open loop, {rate:.0}/s offered at 64: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms from the moment due",
            cell.rate,
            cell.p50,
            cell.p99
        );
    }
    print_costs(results);
    say!("");
    for check in &verdict.checks {
        print_check(check);
    }
    if !verdict.complete {
        say!("not every cell was measured");
    }
}

fn row(series: &[Measured]) -> (f64, f64, f64) {
    let of = |number: fn(&Measured) -> f64| over_rounds(series, number);
    (of(|cell| cell.rate), of(|cell| cell.p50), of(|cell| cell.p99))
}

fn others(results: &Results) -> Vec<(&'static str, &[Measured])> {
    let all: [(&str, &[Measured]); 4] = [
        ("notes spread over 1000 records, 64", &results.spread),
        ("notes to one record, 64", &results.hot),
        ("notarize, none invalid, 64", &results.without_invalid),
        ("notarize, 1 % invalid, 64 (valid)", &results.with_invalid),
    ];
    all.into_iter().filter(|(_, series)| !series.is_empty()).collect()
}

fn print_costs(results: &Results) {
    say!("\nprocessor use (cores busy; microseconds per operation)");
    say!(
        "{:<22} | {:>5} {:>8} {:>5} {:>6} | {:>6} {:>8} {:>6} | {:>8} {:>9}",
        "cell",
        "api",
        "postgres",
        "load",
        "others",
        "api",
        "postgres",
        "load",
        "ops/tx",
        "WAL B/op"
    );
    let mut cells: Vec<(String, &[Measured])> = Vec::new();
    for Comparison { connections, yardstick, notarize } in &results.comparisons {
        cells.push((format!("pgbench {connections}"), yardstick));
        cells.push((format!("notarize {connections}"), notarize));
    }
    cells.push(("notes to many 64".to_owned(), &results.spread));
    cells.push(("notes to one 64".to_owned(), &results.hot));
    cells.push(("1 % invalid 64".to_owned(), &results.with_invalid));
    for (name, series) in cells.iter().filter(|(_, series)| !series.is_empty()) {
        let of = |number: fn(&Measured) -> f64| over_rounds(series, number);
        say!(
            "{name:<22} | {:>5.2} {:>8.2} {:>5.2} {:>6.2} | {:>6.1} {:>8.1} {:>6.1} | {:>8.1} {:>9.0}",
            of(|cell| cell.usage.api_cores),
            of(|cell| cell.usage.postgres_cores),
            of(|cell| cell.usage.load_cores),
            of(|cell| cell.usage.other_cores),
            of(|cell| cell.usage.api_micros),
            of(|cell| cell.usage.postgres_micros),
            of(|cell| cell.usage.load_micros),
            of(|cell| cell.usage.ops_per_transaction),
            of(|cell| cell.usage.wal_per_op)
        );
    }
    let others = cells.iter().flat_map(|(_, series)| *series).map(|cell| cell.usage.other_cores);
    let most = others.fold(0.0, f64::max);
    if most > QUIET {
        say!("WARNING: other programs kept up to {most:.2} cores busy; measure on a quiet machine");
    }
    if let Some(resident) = results.resident {
        say!(
            "resident memory of the API after 256 connections: {:.1} MiB, peak {:.1}",
            resident.now,
            resident.peak
        );
    }
    say!("whole answers checked: {}", results.samples_checked);
}

fn print_check(check: &Check) {
    let sign = if check.at_least { ">=" } else { "<=" };
    let aim = match (check.aim, check.aimed()) {
        (Some(aim), Some(true)) => format!(", aim {aim} reached"),
        (Some(aim), _) => format!(", aim {aim} not reached"),
        (None, _) => String::new(),
    };
    let word = if check.holds() { "ok  " } else { "FAIL" };
    say!("{word} {:<18} {:>8.3} (must {sign} {}{aim})", check.name, check.value, check.must);
}

/// The object `figures` of the last line.
pub(crate) fn figures(results: &Results, verdict: &Verdict, environment: &Environment) -> Value {
    let mut figures = Map::new();
    for check in &verdict.checks {
        let figure = json!({
            "value": rounded(check.value), "must": check.must, "aim": check.aim,
            "direction": if check.at_least { "at least" } else { "at most" },
            "ok": check.holds(), "aimReached": check.aimed(),
        });
        figures.insert(check.name.clone(), figure);
    }
    for comparison in &results.comparisons {
        let value = json!({
            "yardstick": numbers(&comparison.yardstick), "notarize": numbers(&comparison.notarize),
        });
        figures.insert(format!("connections_{}", comparison.connections), value);
    }
    for (name, series) in [
        ("notes_spread_64", &results.spread),
        ("notes_hot_64", &results.hot),
        ("none_invalid_64", &results.without_invalid),
        ("one_percent_invalid_64", &results.with_invalid),
    ] {
        figures.insert(name.to_owned(), numbers(series));
    }
    if let Some((rate, cell)) = &results.open {
        let value =
            json!({"offered": rounded(*rate), "measured": numbers(std::slice::from_ref(cell))});
        figures.insert("open_loop_64".to_owned(), value);
    }
    figures.insert("samplesChecked".to_owned(), json!(results.samples_checked));
    figures.insert("complete".to_owned(), json!(verdict.complete));
    figures.insert("environment".to_owned(), environment.to_json());
    Value::Object(figures)
}

fn numbers(series: &[Measured]) -> Value {
    if series.is_empty() {
        return Value::Null;
    }
    let of = |number: fn(&Measured) -> f64| rounded(over_rounds(series, number));
    json!({
        "perSecond": of(|cell| cell.rate), "p50Ms": of(|cell| cell.p50), "p99Ms": of(|cell| cell.p99),
        "apiCores": of(|cell| cell.usage.api_cores),
        "postgresCores": of(|cell| cell.usage.postgres_cores),
        "loadCores": of(|cell| cell.usage.load_cores),
        "otherCores": of(|cell| cell.usage.other_cores),
        "apiMicros": of(|cell| cell.usage.api_micros),
        "postgresMicros": of(|cell| cell.usage.postgres_micros),
        "loadMicros": of(|cell| cell.usage.load_micros),
        "walBytes": of(|cell| cell.usage.wal_per_op),
        "opsPerTransaction": of(|cell| cell.usage.ops_per_transaction),
        "rounds": series.iter().map(|cell| rounded(cell.rate)).collect::<Vec<f64>>(),
    })
}

/// Three decimals: more would only pretend.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
