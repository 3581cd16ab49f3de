//! Where and on what a run took place.

use std::fs;
use std::process::Command;

use shared::clock::Clock;

/// The machine, the day, the commit and the versions, a line each.
pub fn describe(postgres: &str, command: &str) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_else(|| "unknown".to_owned())
    };
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let gib = memory.trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() / 1024.0 / 1024.0;
    let kernel = read("/proc/sys/kernel/osrelease");
    let now = Clock::system().now().to_string();
    let (day, commit) = (now.get(..10).unwrap_or_default(), commit());
    let rustc = said(Command::new("rustc").arg("--version")).unwrap_or_else(|| "unknown rustc".to_owned());
    format!(
        "- {cpu}, {cores} cores, {gib:.0} GiB, Linux {}\n- {rustc}, PostgreSQL {postgres}\n- {day}, commit {commit}: \
         `{command}`\n",
        kernel.trim()
    )
}

fn commit() -> String {
    said(Command::new("git").args(["describe", "--always", "--dirty"])).unwrap_or_else(|| "unknown".to_owned())
}

fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
