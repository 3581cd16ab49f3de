//! PostgreSQL's programs, wherever this machine keeps them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Trouble;
use crate::packages::{HOMEBREW, Packages};

/// The oldest version that knows all the SQL of the service.
const OLDEST: u32 = 15;

const POSTGRESQL: Packages =
    Packages { name: "PostgreSQL 15 or newer", debian: &["postgresql"], homebrew: &["postgresql@17"] };

/// The folder with `initdb`, `postgres` and `pg_ctl`.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Look in `PATH` and in the folders of Debian and Homebrew, the newest version first.
    pub fn find() -> Option<Self> {
        Self::all().into_iter().next()
    }

    /// All that are new enough, the newest version first.
    fn all() -> Vec<Self> {
        let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
        let debian = children("/usr/lib/postgresql").into_iter().map(|version| version.join("bin"));
        let homebrew = HOMEBREW
            .into_iter()
            .flat_map(children)
            .filter(|formula| formula.file_name().is_some_and(|name| name.to_string_lossy().starts_with("postgresql")))
            .map(|formula| formula.join("bin"));
        let mut found: Vec<_> = on_path
            .into_iter()
            .chain(debian)
            .chain(homebrew)
            .filter_map(|folder| Some((version(&folder)?, Self { folder })))
            .filter(|(version, _)| *version >= OLDEST)
            .collect();
        // Stable: of the same version, the one that comes first in `PATH`.
        found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        found.into_iter().map(|(_, programs)| programs).collect()
    }

    /// Look for them, and install Debian's package if they are missing and this user may.
    pub fn find_or_install() -> Result<Self, Trouble> {
        POSTGRESQL.find_or_install(Self::find)
    }

    /// `pgbench`, which belongs to Debian's and Homebrew's packages and may be missing from others.
    pub fn pgbench() -> Result<Command, Trouble> {
        Self::find_or_install()?;
        let found = Self::all().into_iter().find(|programs| programs.folder.join("pgbench").is_file());
        let found = found.ok_or_else(|| Trouble("pgbench is missing: install postgresql-contrib".to_owned()))?;
        Ok(found.command("pgbench"))
    }

    /// One of the programs.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.folder.join(name))
    }
}

fn children(folder: &str) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

/// The major version of the PostgreSQL in a folder, if all programs are there.
fn version(folder: &Path) -> Option<u32> {
    if !["initdb", "pg_ctl"].iter().all(|name| folder.join(name).is_file()) {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    // `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}
