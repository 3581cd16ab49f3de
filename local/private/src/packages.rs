//! What must be on this machine before something can run: found, or installed from Debian where that is allowed.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::{Trouble, say, trouble};

/// Where Homebrew keeps what belongs to a formula, by its name.
pub(crate) const HOMEBREW: [&str; 3] = ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"];

/// Programs that come together.
#[derive(Clone, Copy, Debug)]
pub struct Packages {
    /// What a person calls them.
    pub name: &'static str,
    /// Debian's packages.
    pub debian: &'static [&'static str],
    /// What Homebrew is told to install.
    pub homebrew: &'static [&'static str],
}

impl Packages {
    /// Look for them, and install Debian's packages if they are missing and this user may.
    pub fn find_or_install<T>(&self, find: impl Fn() -> Option<T>) -> Result<T, Trouble> {
        if let Some(found) = find() {
            return Ok(found);
        }
        let Some(mut apt_get) = apt_get() else { return Err(self.missing()) };
        say(&format!("{}: missing. Installing Debian's package, which takes about a minute.", self.name));
        let install = ["install", "-y", "-qq", "--no-install-recommends"].iter().chain(self.debian);
        for arguments in [vec!["update", "-qq"], install.copied().collect()] {
            let output = apt_get().args(arguments).output().map_err(trouble("apt-get cannot be run"))?;
            if !output.status.success() {
                say(String::from_utf8_lossy(&output.stderr).trim_end());
                return Err(self.missing());
            }
        }
        find().ok_or_else(|| self.missing())
    }

    /// What is missing, and what a person would type to install it.
    fn missing(&self) -> Trouble {
        let command = if cfg!(target_os = "macos") {
            format!("brew install {}", self.homebrew.join(" "))
        } else {
            format!("sudo apt-get install -y {}", self.debian.join(" "))
        };
        Trouble(format!("{} is missing. Install it with: {command}", self.name))
    }
}

/// Where a program is, if it is in one of the folders of `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// `apt-get`, as root or through a `sudo` that asks for no password; `None` where that is not to be had.
fn apt_get() -> Option<impl FnMut() -> Command> {
    let succeeds = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !succeeds("apt-get", &["--version"]) {
        return None;
    }
    let root = rustix::process::geteuid().is_root();
    if !root && !succeeds("sudo", &["-n", "true"]) {
        return None;
    }
    Some(move || {
        // By `env`, because `sudo` passes on none of ours.
        let mut command = Command::new(if root { "env" } else { "sudo" });
        if !root {
            command.args(["-n", "env"]);
        }
        // Debian starts the service of a package that it installs. Where there is no systemd, it does not in runlevel 1.
        command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]);
        // Another installation under way is waited for.
        command.args(["-o", "DPkg::Lock::Timeout=120"]);
        command
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALCULATOR: Packages = Packages { name: "A calculator", debian: &["bc", "dc"], homebrew: &["bc"] };

    #[test]
    fn what_is_there_is_not_installed() {
        assert_eq!(CALCULATOR.find_or_install(|| Some("here")).unwrap(), "here");
    }

    #[test]
    fn what_is_missing_is_said_in_one_sentence_with_the_command() {
        let said = CALCULATOR.missing().to_string();
        let command = if cfg!(target_os = "macos") { "brew install bc" } else { "sudo apt-get install -y bc dc" };
        assert_eq!(said, format!("A calculator is missing. Install it with: {command}"));
    }
}
