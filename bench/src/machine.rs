//! What a measurement ran on.

use std::fs;
use std::thread;

use crate::Result;

/// The machine's CPU time since it was started, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct CpuTime {
    all: u64,
    idle: u64,
    /// Of this process, and of those that it started and that have ended.
    own: u64,
}

/// As the kernel names it.
pub fn cpu_model() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    model.map_or("an unnamed CPU", |(_, name)| name).to_owned()
}

/// The kernel's release.
pub fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

/// How many CPUs this process may use.
pub fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Nanoseconds that all threads of a process were on a CPU.
pub fn cpu_of_process(id: u32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let on_cpu = text.split_whitespace().next().unwrap_or_default();
        sum += on_cpu.parse::<u64>()?;
    }
    Ok(sum)
}

// === impl CpuTime ===

impl CpuTime {
    /// As it is now.
    pub fn read() -> Result<Self> {
        let ticks = |text: &str| -> Result<Vec<u64>> {
            let words = text.split_whitespace();
            Ok(words
                .map(str::parse)
                .collect::<std::result::Result<_, _>>()?)
        };
        // proc(5): user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of the first.
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "));
        let of_all: Vec<u64> = ticks(line.unwrap_or_default())?
            .into_iter()
            .take(8)
            .collect();
        // Behind the name: utime, stime, cutime and cstime are the 12th to the 15th word.
        let stat = fs::read_to_string("/proc/self/stat")?;
        let (_, words) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
        let words: Vec<&str> = words.split_whitespace().skip(11).take(4).collect();
        Ok(CpuTime {
            all: of_all.iter().sum(),
            idle: of_all.iter().skip(3).take(2).sum(),
            own: ticks(&words.join(" "))?.iter().sum(),
        })
    }

    /// The share of the machine's CPU time that others took since then.
    pub fn of_others_since(self, before: CpuTime) -> f64 {
        let [all, idle, own] = [
            self.all - before.all,
            self.idle - before.idle,
            self.own - before.own,
        ];
        all.saturating_sub(idle + own) as f64 / all.max(1) as f64
    }
}
