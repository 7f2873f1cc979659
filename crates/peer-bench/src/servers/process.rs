//! What a process has cost so far, as the kernel counts it (proc(5)).

use std::fs;
use std::time::Duration;

use crate::Outcome;

/// In KiB.
pub(crate) struct Memory {
    pub(crate) resident: u32,
    pub(crate) peak: u32,
}

pub(crate) fn memory(process: u32) -> Outcome<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| -> Outcome<u32> {
        let value = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
        Ok(value.trim().trim_end_matches(" kB").parse()?)
    };
    Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
}

/// CPU time of a process and its children.
pub(crate) fn cpu_time(process: u32) -> Outcome<Duration> {
    let mut ticks = 0;
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Others may end meanwhile.
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        // The name before may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number).and_then(|field| field.parse::<u32>().ok());
        if id == process || field(PARENT) == Some(process) {
            ticks += field(USER).ok_or("no user time")? + field(SYSTEM).ok_or("no system time")?;
        }
    }
    Ok(TICK * ticks)
}

/// Fields after the name, counted from 0.
const PARENT: usize = 1;
const USER: usize = 11;
const SYSTEM: usize = 12;
/// `USER_HZ` is 100 wherever Rust runs on Linux.
const TICK: Duration = Duration::from_millis(10);
