//! What a process has cost, as the system counts it: user and system time of all its threads.

use std::fs;

use serde::Serialize;

use crate::Result;

/// What was used up to now.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
}

/// Of a process, and of all under it if asked. Children that have ended are not counted.
pub fn usage(pid: u32, with_children: bool) -> Result<Usage> {
    let mut sum = Usage::default();
    let pids = if with_children { family(pid)? } else { vec![pid] };
    let ticks = f64::from(u32::try_from(rustix::param::clock_ticks_per_second())?);
    let page = u64::try_from(rustix::param::page_size())?;
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let Stat { ticks: used, resident_pages, .. } = Stat::read(&stat)?;
        sum.cpu_seconds += crate::pace::float(used) / ticks;
        sum.resident_bytes += resident_pages * page;
    }
    Ok(sum)
}

/// A process and those under it.
fn family(root: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        parents.push((pid, Stat::read(&stat)?.parent));
    }
    let mut family = vec![root];
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid));
        at += 1;
    }
    Ok(family)
}

/// What is read of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u64,
    resident_pages: u64,
}

impl Stat {
    fn read(text: &str) -> Result<Self> {
        // The name may hold anything, so what follows its last bracket counts: state, parent, ...
        let rest = text.rsplit_once(") ").ok_or("a process without a name")?.1;
        let field = |number: usize| rest.split(' ').nth(number).ok_or("a stat that is too short");
        Ok(Self {
            parent: field(1)?.parse()?,
            ticks: field(11)?.parse::<u64>()? + field(12)?.parse::<u64>()?,
            resident_pages: field(21)?.parse()?,
        })
    }
}

/// Keeps the calling thread, and those it starts, on one core.
pub fn pin(cpu: usize) -> Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_is_no_trouble() {
        let text = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 0 0 0 120 34 0 0 20 0 5 0 100 9999 321 18446 1 1";
        assert_eq!(Stat::read(text).unwrap(), Stat { parent: 7, ticks: 154, resident_pages: 321 });
    }

    #[test]
    fn our_own_usage_never_goes_back() {
        let before = usage(std::process::id(), false).unwrap();
        assert!(before.resident_bytes > 0);
        let work: u64 = (0..20_000_000_u64).fold(0, |sum, number| sum ^ crate::ids::scatter(number));
        assert!(usage(std::process::id(), true).unwrap().cpu_seconds >= before.cpu_seconds, "{work}");
    }
}
