//! What Linux knows of processes and of the machine (`proc(5)`).

use std::fs;

use anyhow::{Context, Result};

/// `/proc` counts processor time in these units on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
const KIB: f64 = 1024.0;

/// Processor seconds that were used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CpuTimes {
    /// The process itself, all threads.
    own: f64,
    /// Its children that have ended and were waited for.
    reaped: f64,
}

struct Stat {
    parent: u32,
    times: CpuTimes,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name in parentheses may contain anything, a closing parenthesis included.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        times: CpuTimes {
            own: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
            reaped: (ticks(13)? + ticks(14)?) / TICKS_PER_SECOND,
        },
    })
}

fn stat(pid: u32) -> Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} is gone"))?;
    parse_stat(&text).with_context(|| format!("/proc/{pid}/stat has an unknown form"))
}

/// Processor seconds of one process, without its children.
pub(crate) fn cpu_of(pid: u32) -> Result<f64> {
    Ok(stat(pid)?.times.own)
}

/// Processor seconds of this process's children that have ended.
pub(crate) fn cpu_of_reaped_children() -> Result<f64> {
    Ok(stat(std::process::id())?.times.reaped)
}

/// Processor seconds of a process and its direct children, those that have ended included.
pub(crate) fn cpu_of_family(pid: u32) -> Result<f64> {
    loop {
        let before = stat(pid)?.times;
        let running = cpu_of_children(pid)?;
        let after = stat(pid)?.times;
        // Otherwise a child ended meanwhile, and would be counted twice or not at all.
        if before.reaped == after.reaped {
            return Ok(after.own + after.reaped + running);
        }
    }
}

fn cpu_of_children(pid: u32) -> Result<f64> {
    let mut total = 0.0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match stat(child) {
            Ok(found) if found.parent == pid => total += found.times.own,
            _ => {}
        }
    }
    Ok(total)
}

/// Processor seconds that all processes of the machine used, the kernel's own included.
pub(crate) fn cpu_of_machine() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    parse_machine(&text).context("/proc/stat has an unknown form")
}

fn parse_machine(text: &str) -> Option<f64> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are inside user and nice.
    let [user, nice, system, _, _, irq, softirq, steal] = *ticks.first_chunk()?;
    Some((user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND)
}

/// Whether a process is there and has not ended: a zombie has.
pub(crate) fn is_running(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|text| text.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z")))
}

/// Resident memory of a process, in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resident {
    /// Now (`VmRSS`).
    pub(crate) now: f64,
    /// The most since the process began (`VmHWM`).
    pub(crate) peak: f64,
}

/// Resident memory of process `pid`.
pub(crate) fn resident(pid: u32) -> Result<Resident> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone"))?;
    let field = |name: &str| -> Result<f64> {
        let kib = value_of(&text, name).with_context(|| format!("no {name} in status"))?;
        Ok(kib.trim_end_matches("kB").trim().parse::<f64>()? / KIB)
    };
    Ok(Resident { now: field("VmRSS")?, peak: field("VmHWM")? })
}

fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The machine that figures are quoted with.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Processor model.
    pub(crate) cpu: String,
    /// Processors that this process may use.
    pub(crate) cores: usize,
    /// Memory in GiB.
    pub(crate) memory_gib: f64,
    /// Kernel release.
    pub(crate) kernel: String,
}

impl Machine {
    /// Reads it from `/proc`.
    pub(crate) fn read() -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let total = value_of(&meminfo, "MemTotal").context("no MemTotal in meminfo")?;
        let kib: f64 = total.trim_end_matches("kB").trim().parse()?;
        Ok(Self {
            cpu: value_of(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: kib / KIB / KIB,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "7 (a) b) (c)) S 3 7 7 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 5";
        let stat = parse_stat(line).unwrap();
        assert_eq!(stat.parent, 3);
        assert_eq!((stat.times.own, stat.times.reaped), (2.0, 0.5));
    }

    #[test]
    fn idle_and_waiting_are_no_use_of_the_machine() {
        let text = "cpu  100 10 50 9999 9999 5 5 30 7 7\ncpu0 1 2 3\n";
        assert_eq!(parse_machine(text), Some(2.0));
        assert_eq!(parse_machine("cpu  1 2 3\n"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        assert!(is_running(pid));
        assert!(cpu_of(pid).unwrap() >= 0.0);
        assert!(cpu_of_family(pid).unwrap() >= cpu_of(pid).unwrap());
        let resident = resident(pid).unwrap();
        assert!(resident.now > 0.1 && resident.peak >= resident.now);
        assert!(Machine::read().unwrap().memory_gib > 0.1);
    }
}
