//! Numbers: percentiles, memory and processor time.

use std::fs;
use std::time::Duration;

/// Times of single calls, in microseconds.
#[derive(Debug, Default, Clone)]
pub struct Times(Vec<f64>);

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64() * 1e6);
    }

    /// Adds all of another block.
    pub fn join(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// The time that this share of the calls did not exceed.
    pub fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let count = f64::from(u32::try_from(sorted.len()).expect("not that many"));
        let at = sorted
            .iter()
            .zip(1_u32..)
            .find(|(_, n)| f64::from(*n) >= count * share);
        at.map_or(f64::NAN, |(time, _)| *time)
    }

    /// The middle.
    pub fn median(&self) -> f64 {
        self.percentile(0.5)
    }
}

impl FromIterator<f64> for Times {
    fn from_iter<I: IntoIterator<Item = f64>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

/// A line of `/proc/<pid>/status` in MiB: `VmRSS` now, `VmHWM` at most so far.
pub fn memory(pid: u32, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let kib = status
        .lines()
        .find_map(|entry| entry.strip_prefix(line)?.strip_prefix(':'));
    let kib = kib
        .and_then(|kib| kib.trim().strip_suffix(" kB"))
        .expect("a size");
    kib.parse::<f64>().expect("a number") / 1024.0
}

/// Processor time of a process so far, in microseconds; the kernel counts in nanoseconds.
pub fn processor(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
    let spent = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1000.0
}

/// How often a process was woken up so far.
pub fn wake_ups(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
    let woken = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("status")).ok()?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<f64>().ok()
    });
    woken.sum()
}
