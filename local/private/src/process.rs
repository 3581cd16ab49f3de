//! A server's process: started, watched until it answers, stopped; and what a killed owner left of it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::folder::Folder;
use crate::{Trouble, trouble};

/// How often a server is started, each time on another port because the last was taken.
pub(crate) const ATTEMPTS: usize = 3;
/// What PostgreSQL, Redis and RabbitMQ write when their port is taken, RabbitMQ of its second port, and PostgreSQL when
/// processes of a killed server still hold its memory.
const TAKEN: [&str; 4] =
    ["Address already in use", "eaddrinuse", "could not bind to distribution port", "is still in use"];
/// How long one question to a server may take. Whoever has taken its port may never answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A server's process, the leader of a group of its own. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// What a person calls it.
    name: &'static str,
    log: PathBuf,
}

impl Process {
    /// Start it. What it prints goes to the file `log`.
    pub(crate) fn start(mut command: Command, name: &'static str, log: PathBuf) -> Result<Self, Trouble> {
        let failed = |error| trouble(format!("the log of {name} cannot be written"))(error);
        let file = File::create(&log).map_err(failed)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(failed)?)
            .stderr(file)
            // Ctrl-C on the terminal is for us: we stop the server when requests are done.
            .process_group(0)
            .spawn()
            .map_err(trouble(format!("{name} cannot be started")))?;
        Ok(Self { child, name, log })
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> Result<bool, Trouble> {
        let status = self.child.try_wait().map_err(trouble(format!("{} cannot be watched", self.name)))?;
        Ok(status.is_some())
    }

    /// Ask until it answers, for as long as `patience` allows. `None` if it has ended because its port was taken.
    pub(crate) async fn answer<T>(
        &mut self,
        patience: Duration,
        ask: impl AsyncFn() -> Result<T, String>,
    ) -> Result<Option<T>, Trouble> {
        let deadline = Instant::now() + patience;
        loop {
            let ended = self.ended()?;
            let answer = tokio::time::timeout(ANSWER, ask()).await;
            match answer.unwrap_or_else(|_| Err("it does not answer".to_owned())) {
                Ok(answer) => return Ok(Some(answer)),
                Err(_) if !ended && Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => {
                    let log = fs::read_to_string(&self.log).unwrap_or_default();
                    if TAKEN.iter().any(|words| log.contains(words)) {
                        return Ok(None);
                    }
                    let last = log.lines().last().unwrap_or("its log is empty");
                    let (name, path) = (self.name, self.log.display());
                    return Err(Trouble(format!("{name} did not start ({error}); see {path}, which ends: {last}")));
                }
            }
        }
    }

    /// Send it a signal.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<(), Trouble> {
        // Once it has been waited for, its id may be somebody else's.
        if !self.ended()?
            && let Some(pid) = pid(self.id())
        {
            // Already gone is as good.
            let _ = kill_process(pid, signal);
        }
        Ok(())
    }

    /// Let it stand still until [`Process::resume`].
    pub(crate) fn pause(&mut self) -> Result<(), Trouble> {
        self.signal(Signal::STOP)
    }

    /// Let it go on after [`Process::pause`].
    pub(crate) fn resume(&mut self) -> Result<(), Trouble> {
        self.signal(Signal::CONT)
    }

    /// End it: with each of these signals in turn, if it ends within its time, and else by killing it and its group.
    pub(crate) fn halt(&mut self, gently: &[(Signal, Duration)]) -> Result<(), Trouble> {
        for (signal, patience) in gently {
            self.signal(*signal)?;
            let deadline = Instant::now() + *patience;
            while Instant::now() < deadline {
                if self.ended()? {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        if !self.ended()?
            && let Some(pid) = pid(self.id())
        {
            let _ = kill_process_group(pid, Signal::KILL);
            self.child.wait().map_err(trouble(format!("{} cannot be watched", self.name)))?;
        }
        Ok(())
    }

    /// Note its id in a file beside its log, for [`stop_left_over`].
    pub(crate) fn note(&self) -> Result<(), Trouble> {
        let path = self.log.with_extension("pid");
        fs::write(&path, self.id().to_string()).map_err(trouble(format!("{} cannot be written", path.display())))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.halt(&[]);
    }
}

/// Remove a server's folder with what is in it, stopping a server that was left running there.
pub(crate) fn clear(folder: &Path) -> Result<(), Trouble> {
    let mut folder = Folder::make(folder, None)?;
    stop_left_over(folder.path());
    folder.remove()
}

/// Kill the processes noted in `folder` that outlived whoever started them.
///
/// Only those whose command line names something in the folder: a noted id may be somebody else's by now.
pub(crate) fn stop_left_over(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mark = format!("{}/", folder.display());
    for note in
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "pid"))
    {
        let Ok(id) = fs::read_to_string(&note).unwrap_or_default().parse() else { continue };
        let deadline = Instant::now() + Duration::from_secs(5);
        // One that was killed may write to the folder until it is gone.
        while command_line(id).contains(&mark) && Instant::now() < deadline {
            if let Some(pid) = pid(id) {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What a process was started with; empty if it is not there.
fn command_line(id: u32) -> String {
    let bytes = if cfg!(target_os = "linux") {
        // `ps` is not on every Linux.
        fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default()
    } else {
        let output = Command::new("ps").args(["-ww", "-o", "args=", "-p", &id.to_string()]).output();
        output.map(|output| output.stdout).unwrap_or_default()
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

/// A port of 127.0.0.1 that is free now, and may be somebody's by the time a server asks for it.
pub fn free_port() -> Result<u16, Trouble> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(trouble("there is no free port"))?;
    Ok(listener.local_addr().map_err(trouble("there is no free port"))?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("private-services-test-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn shell(folder: &Folder, script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, "The shell", folder.0.join("shell.log")).unwrap()
    }

    async fn never() -> Result<(), String> {
        Err("nobody is there".to_owned())
    }

    #[tokio::test]
    async fn a_taken_port_is_told_from_other_trouble() {
        let folder = Folder::new("taken");
        for words in TAKEN {
            let mut server = shell(&folder, &format!("echo 'bind: {words} (98)'; echo Aborting.; exit 1"));
            assert!(server.answer(Duration::from_secs(60), never).await.unwrap().is_none(), "{words}");
        }
        let mut server = shell(&folder, "echo No memory.; exit 1");
        let trouble = server.answer(Duration::from_secs(60), never).await.unwrap_err().to_string();
        let log = folder.0.join("shell.log");
        let log = log.display();
        assert_eq!(trouble, format!("The shell did not start (nobody is there); see {log}, which ends: No memory."));
    }

    #[test]
    fn a_left_over_is_killed_even_when_it_stands_still() {
        let folder = Folder::new("left-over");
        // The second command keeps the shell, with its command line, from becoming the first.
        let mut server = shell(&folder, &format!("sleep 600; : {}/", folder.0.display()));
        server.note().unwrap();
        // A process is there a moment before its command line is.
        let deadline = Instant::now() + Duration::from_secs(60);
        while command_line(server.id()).is_empty() {
            assert!(Instant::now() < deadline, "it does not start");
            std::thread::yield_now();
        }
        server.signal(Signal::STOP).unwrap();
        stop_left_over(&folder.0);
        // Its command line is gone a moment before it is.
        let deadline = Instant::now() + Duration::from_secs(60);
        while !server.ended().unwrap() {
            assert!(Instant::now() < deadline, "it is still there");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_process_that_has_the_noted_id_by_now_is_left_alone() {
        let folder = Folder::new("stranger");
        let mut stranger = shell(&folder, "exec sleep 600");
        stranger.note().unwrap();
        stop_left_over(&folder.0);
        assert!(!stranger.ended().unwrap());
    }
}
