//! Makes the pictures of an upload again and again, as `images` does: `make-pictures <original> <times> <folder>`.
//!
//! Prints the CPU time of one in milliseconds, and the most memory of the process in MiB. Leaves what it made in the folder.

#![expect(clippy::print_stdout, reason = "the measurement reads it")]

use std::error::Error;
use std::path::PathBuf;

use rustix::time::{ClockId, clock_gettime};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("make-pictures <original> <times> <folder>");
    let (original, times, folder) = (std::fs::read(next()?)?, next()?.parse::<u32>()?, PathBuf::from(next()?));
    let make = || picture::make(&original).map_err(|refusal| format!("{refusal:?}"));
    // The first one is not counted: it asks the system for memory.
    let mut pictures = make()?;
    let before = cpu_seconds();
    for _ in 0..times {
        pictures = make()?;
    }
    let spent = cpu_seconds() - before;
    std::fs::write(folder.join("display.jpg"), pictures.display)?;
    std::fs::write(folder.join("thumbnail.jpg"), pictures.thumbnail)?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: f64 = peak.trim_end_matches("kB").trim().parse()?;
    println!("{} {}", 1e3 * spent / f64::from(times), kib / 1024.0);
    Ok(())
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
