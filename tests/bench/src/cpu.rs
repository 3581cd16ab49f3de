//! CPU time and memory of processes, as Linux's `/proc` tells it.

use std::collections::HashMap;
use std::fs;
use std::ops::Add;
use std::time::Duration;

use measure::Trouble;
use rustix::time::{ClockId, clock_gettime};

/// What `/proc/<pid>/stat` counts in: fixed by Linux towards programs, whatever the kernel uses itself.
const TICK: Duration = Duration::from_millis(10);

/// CPU time that was spent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// By the server under measurement.
    pub(crate) server: Duration,
    /// By PostgreSQL with all its processes.
    pub(crate) postgres: Duration,
    /// By this program and what it has waited for: the load generator, and `pgbench`.
    pub(crate) client: Duration,
}

impl Add for Cpu {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            server: self.server + more.server,
            postgres: self.postgres + more.postgres,
            client: self.client + more.client,
        }
    }
}

/// Where the clocks stood when a measurement began.
#[derive(Debug)]
pub(crate) struct Meter {
    server: Process,
    postgres: (u32, Duration),
    client: Duration,
}

/// A process's threads and their CPU times.
type Threads = HashMap<u32, Duration>;

/// Where the clocks of one process stood when a measurement began.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    threads: Threads,
    ticks: Duration,
}

impl Process {
    /// Begin to measure a process, without its children.
    pub(crate) fn start(pid: u32) -> Result<Self, Trouble> {
        Ok(Self { pid, threads: threads(pid), ticks: ticks(pid)?.own })
    }

    /// What it has spent since.
    pub(crate) fn stop(&self) -> Result<Duration, Trouble> {
        let by_threads =
            |(thread, now): (u32, Duration)| now - self.threads.get(&thread).copied().unwrap_or_default().min(now);
        let exact: Duration = threads(self.pid).into_iter().map(by_threads).sum();
        // Threads that have ended since are in the coarser figure alone, which may be a tick too much.
        let coarse = (ticks(self.pid)?.own - self.ticks).saturating_sub(TICK);
        Ok(exact.max(coarse))
    }
}

impl Meter {
    /// Begin to measure a server, with the first process of PostgreSQL.
    pub(crate) fn start(server: u32, postgres: u32) -> Result<Self, Trouble> {
        Ok(Self { server: Process::start(server)?, postgres: (postgres, family(postgres)?), client: client()? })
    }

    /// What was spent since.
    pub(crate) fn stop(&self) -> Result<Cpu, Trouble> {
        let (postgres, family_before) = self.postgres;
        Ok(Cpu {
            server: self.server.stop()?,
            postgres: family(postgres)?.saturating_sub(family_before),
            client: client()?.saturating_sub(self.client),
        })
    }
}

/// CPU time of this program and of everything it has started, to a hundredth of a second for each process.
pub(crate) fn ours() -> Result<Duration, Trouble> {
    let parents: Vec<(u32, u32)> = pids()?.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![std::process::id()];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid));
        next += 1;
    }
    // One may just have ended: it then counts as reaped.
    Ok(family.into_iter().filter_map(|pid| ticks(pid).ok()).map(|ticks| ticks.own + ticks.reaped).sum())
}

/// CPU time that the machine has spent on anything, by all cores together.
pub(crate) fn machine() -> Result<Duration, Trouble> {
    let stat = fs::read_to_string("/proc/stat")?;
    busy(&stat).ok_or_else(|| "/proc/stat is not as proc(5) says".into())
}

/// `cpu  user nice system idle iowait irq softirq steal …`, in ticks: all but the two of doing nothing.
fn busy(stat: &str) -> Option<Duration> {
    let times = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8).enumerate();
    let busy = times.filter(|(position, _)| ![3, 4].contains(position));
    let ticks: Option<u64> = busy.map(|(_, ticks)| ticks.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks? * TICK.as_millis() as u64))
}

/// CPU times of a process's threads, to the nanosecond.
fn threads(pid: u32) -> Threads {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| {
        // Time on the CPU, time waiting for it, and how often: a thread may just have ended.
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos = text.split_whitespace().next()?.parse().ok()?;
        Some((task.file_name().to_str()?.parse().ok()?, Duration::from_nanos(nanos)))
    };
    tasks.filter_map(of_task).collect()
}

/// CPU time of a process and its children, which have one thread each.
fn family(parent: u32) -> Result<Duration, Trouble> {
    let pids = std::iter::once(parent).chain(children(parent)?);
    // A child may end at any time: it then counts as reaped.
    Ok(pids.flat_map(threads).map(|(_, time)| time).sum::<Duration>() + ticks(parent)?.reaped)
}

/// CPU time of this process and of the children it has waited for.
fn client() -> Result<Duration, Trouble> {
    let own = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?;
    Ok(own + ticks(std::process::id())?.reaped)
}

/// CPU time to a hundredth of a second, threads included that have ended.
struct Ticks {
    own: Duration,
    /// That of children which have ended and been waited for.
    reaped: Duration,
}

fn ticks(pid: u32) -> Result<Ticks, Trouble> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| format!("process {pid}: {error}"))?;
    let fields = stat_fields(&stat);
    // User and system time.
    let both = |first: usize| {
        let times = fields.get(first..first + 2)?.iter().map(|ticks| ticks.parse::<u32>().ok());
        Some(TICK * times.sum::<Option<u32>>()?)
    };
    let (own, reaped) = both(11).zip(both(13)).ok_or("/proc/<pid>/stat is not as proc(5) says")?;
    Ok(Ticks { own, reaped })
}

/// The processes whose parent this is.
pub(crate) fn children(of: u32) -> Result<Vec<u32>, Trouble> {
    Ok(pids()?.filter(|pid| parent(*pid) == Some(of)).collect())
}

fn parent(pid: u32) -> Option<u32> {
    stat_fields(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?).get(1)?.parse().ok()
}

/// The processes of this machine.
fn pids() -> Result<impl Iterator<Item = u32>, Trouble> {
    Ok(fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// The fields of `/proc/<pid>/stat` from the third, the state, on. The second, the name, may hold anything.
fn stat_fields(stat: &str) -> Vec<&str> {
    stat.rsplit_once(") ").map(|(_, fields)| fields.split_whitespace().collect()).unwrap_or_default()
}

/// Memory that a process holds, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64, Trouble> {
    memory_mib(pid, "VmRSS:")
}

/// The most memory that a process has held, in MiB.
pub(crate) fn peak_mib(pid: u32) -> Result<f64, Trouble> {
    memory_mib(pid, "VmHWM:")
}

fn memory_mib(pid: u32, field: &str) -> Result<f64, Trouble> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.ok_or_else(|| format!("/proc/<pid>/status lacks {field}"))?;
    Ok(kib.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(for_how_long: Duration) {
        let begun = client().unwrap();
        while client().unwrap() < begun + for_how_long {
            std::hint::black_box(0);
        }
    }

    #[test]
    fn work_is_seen_in_the_one_who_did_it() {
        let me = std::process::id();
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let meter = Meter::start(me, other.id()).unwrap();
        work(Duration::from_millis(30));
        let spent = meter.stop().unwrap();
        assert!(spent.server >= Duration::from_millis(20), "{spent:?}");
        assert!(spent.client >= Duration::from_millis(30), "{spent:?}");
        assert!(spent.postgres < Duration::from_millis(20), "{spent:?}");
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn the_work_of_threads_that_have_ended_counts() {
        let meter = Meter::start(std::process::id(), std::process::id()).unwrap();
        std::thread::spawn(|| work(Duration::from_millis(100))).join().unwrap();
        let spent = meter.stop().unwrap();
        assert!(spent.server >= Duration::from_millis(50) && spent.client >= Duration::from_millis(100), "{spent:?}");
    }

    #[test]
    fn children_are_found_and_count_when_they_have_ended() {
        let me = std::process::id();
        let before = ticks(me).unwrap().reaped;
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let alone: u32 = child.id();
        assert!(children(me).unwrap().contains(&alone));
        while family(alone).unwrap() < Duration::from_millis(30) {
            std::thread::yield_now();
        }
        assert!(ours().unwrap() >= Duration::from_millis(20));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ticks(me).unwrap().reaped > before);
        assert!(ticks(alone).is_err());
    }

    #[test]
    fn waiting_is_not_work() {
        assert_eq!(busy("cpu  1 2 3 1000 2000 4 5 6 70 80\ncpu0 1"), Some(TICK * 21));
        assert_eq!(busy("something else"), None);
        assert!(machine().unwrap() > Duration::ZERO);
    }

    #[test]
    fn memory_is_seen() {
        let me = std::process::id();
        let (now, most) = (resident_mib(me).unwrap(), peak_mib(me).unwrap());
        assert!((1.0..10_000.0).contains(&now) && most >= 1.0, "{now} {most}");
    }

    #[test]
    fn a_name_with_brackets_and_spaces_is_skipped() {
        assert_eq!(stat_fields("7 (a (b) c) S 1 7")[..2], ["S", "1"]);
    }
}
