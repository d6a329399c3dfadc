//! What a measurement ran on.

use std::fs;
use std::thread;

pub fn cpu_model() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    model.map_or("an unnamed CPU", |(_, name)| name).to_owned()
}

pub fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

pub fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
