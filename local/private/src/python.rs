//! Programs that come as Python packages: installed into the workspace's `.venv`, from pinned requirements.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::packages::{HOMEBREW, Packages, on_path};
use crate::{Trouble, say, trouble};

/// Debian has what makes a `.venv` in a package of its own.
const PYTHON: Packages = Packages { name: "Python 3 with venv", debian: &["python3-venv"], homebrew: &["python"] };
/// How long to wait before asking again whether another process is done.
const PAUSE: Duration = Duration::from_millis(100);

/// One of the programs of `requirements.txt`. If it is not there, all of them are installed, which takes about half a
/// minute and is said on standard error; a process that finds another one installing waits for it.
pub async fn program(name: &str) -> Result<PathBuf, Trouble> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..").canonicalize().map_err(trouble("the workspace is not there any more"))?;
    program_of(&here.join("requirements.txt"), &root.join(".venv"), name).await
}

/// The same for other requirements, installed into a folder of their own.
pub async fn program_of(requirements: &Path, folder: &Path, name: &str) -> Result<PathBuf, Trouble> {
    Environment { folder: folder.to_owned(), requirements: requirements.to_owned() }.program(name).await
}

/// A folder with a Python of its own, and what is installed there.
struct Environment {
    folder: PathBuf,
    requirements: PathBuf,
}

impl Environment {
    async fn program(&self, name: &str) -> Result<PathBuf, Trouble> {
        let program = self.folder.join("bin").join(name);
        if !self.is_complete(&program) {
            let _lock = self.lock().await?;
            // Somebody else may have been at it meanwhile.
            if !self.is_complete(&program) {
                self.install().await?;
            }
        }
        if program.is_file() {
            return Ok(program);
        }
        Err(Trouble(format!("{} brings no {name}", self.requirements.display())))
    }

    /// Whether the program was installed from these very requirements.
    fn is_complete(&self, program: &Path) -> bool {
        let installed = fs::read(self.marker()).ok();
        installed.is_some() && installed == fs::read(&self.requirements).ok() && program.is_file()
    }

    /// A copy of the requirements that were installed.
    fn marker(&self) -> PathBuf {
        self.folder.join("installed-requirements.txt")
    }

    /// Keep other processes from installing. The requirements are what is locked: they are there before the folder is.
    async fn lock(&self) -> Result<File, Trouble> {
        let path = self.requirements.display();
        let file = File::open(&self.requirements).map_err(trouble(format!("{path} cannot be read")))?;
        let mut said = false;
        // Asked again and again, so that whoever drops this need not wait.
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(trouble(format!("{path} cannot be locked"))(error)),
            }
            if !said {
                say(&format!("Another process is installing into {}: waiting for it.", self.folder.display()));
                said = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn install(&self) -> Result<(), Trouble> {
        let failed = |error| trouble(format!("{} cannot be read", self.requirements.display()))(error);
        let requirements = fs::read_to_string(&self.requirements).map_err(failed)?;
        let folder = self.folder.display();
        let names: Vec<_> = requirements.lines().filter(|line| !line.starts_with('#')).collect();
        say(&format!("Installing {} into {folder}, once. This takes about half a minute.", names.join(" and ")));
        let python = self.folder.join("bin/python");
        let has_pip = ask(&python, &["-m", "pip", "--version"]).await.is_ok_and(|output| output.status.success());
        if !has_pip {
            let maker = PYTHON.find_or_install(find)?;
            run(&maker, &["-m".as_ref(), "venv".as_ref(), &self.folder]).await?;
        }
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        let arguments: Vec<&Path> = pip.iter().map(Path::new).chain([self.requirements.as_path()]).collect();
        run(&python, &arguments).await?;
        let marker = self.marker();
        fs::write(&marker, requirements).map_err(trouble(format!("{} cannot be written", marker.display())))
    }
}

/// A Python that can make such folders.
fn find() -> Option<PathBuf> {
    // What Debian installs need not be the first in `PATH`.
    let elsewhere = HOMEBREW.map(|folder| Path::new(folder).join("python/bin/python3"));
    let mut candidates = on_path("python3").into_iter().chain(["/usr/bin/python3".into()]).chain(elsewhere);
    candidates.find(|python| {
        let mut command = std::process::Command::new(python);
        command.args(["-c", "import ensurepip, venv"]).stdin(Stdio::null());
        command.output().is_ok_and(|output| output.status.success())
    })
}

/// Run it to its end; it ends with whoever waits for it.
async fn ask(program: &Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> std::io::Result<Output> {
    Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await
}

/// Run it, and say what it says if it fails.
async fn run(program: &Path, arguments: &[&Path]) -> Result<(), Trouble> {
    let name = program.display();
    let output = ask(program, arguments).await.map_err(trouble(format!("{name} cannot be run")))?;
    if output.status.success() {
        return Ok(());
    }
    // `venv` complains on standard output.
    for said in [&output.stdout, &output.stderr].into_iter().filter(|said| !said.is_empty()) {
        say(String::from_utf8_lossy(said).trim_end());
    }
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    Err(Trouble(format!("`{name} {}` failed; what it said stands above", arguments.join(" "))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// An environment in a folder that goes with the test. It requires nothing, and has `pip` all the same.
    struct Temporary(Environment);

    impl Temporary {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("private-services-python-{}-{name}", std::process::id()));
            fs::create_dir(&folder).unwrap();
            let environment =
                Environment { folder: folder.join(".venv"), requirements: folder.join("requirements.txt") };
            fs::write(&environment.requirements, "# nothing\n").unwrap();
            Self(environment)
        }

        /// From now on, whatever is run there fails.
        fn break_python(&self) {
            let python = self.0.folder.join("bin/python");
            fs::remove_file(&python).unwrap();
            fs::write(&python, "#!/bin/sh\n[ \"$3\" = --version ]\n").unwrap();
            fs::set_permissions(&python, fs::Permissions::from_mode(0o700)).unwrap();
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.folder.parent().unwrap());
        }
    }

    #[tokio::test]
    async fn what_is_there_is_not_installed_again_until_the_requirements_change() {
        let temporary = Temporary::new("once");
        let environment = &temporary.0;
        let pip = environment.program("pip").await.unwrap();
        assert_eq!(pip, environment.folder.join("bin/pip"));

        temporary.break_python();
        environment.program("pip").await.unwrap();
        fs::write(&environment.requirements, "# still nothing\n").unwrap();
        let trouble = environment.program("pip").await.unwrap_err().to_string();
        assert!(trouble.contains("-m pip install"), "{trouble}");
        // Not taken for done.
        environment.program("pip").await.unwrap_err();
    }

    #[tokio::test]
    async fn a_second_process_waits_for_the_first_and_finds_it_done() {
        let temporary = Temporary::new("twice");
        let environment = &temporary.0;
        let lock = environment.lock().await.unwrap();
        let mut second = std::pin::pin!(environment.program("pip"));
        assert!(tokio::time::timeout(PAUSE * 2, &mut second).await.is_err(), "it does not wait");

        environment.install().await.unwrap();
        temporary.break_python();
        drop(lock);
        second.await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_no_requirement_brings_is_said_in_one_sentence() {
        let temporary = Temporary::new("unknown");
        let trouble = temporary.0.program("snake").await.unwrap_err().to_string();
        assert_eq!(trouble, format!("{} brings no snake", temporary.0.requirements.display()));
    }
}
