//! Whom a server runs as, where it is not who we are.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::{Trouble, trouble};

/// A user other than ourselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl User {
    /// Whom a server runs as that refuses to run as root: this user (`None`), or as root the first of these that this
    /// machine knows.
    pub(crate) fn instead_of_root(server: &str, wanted: &[&str]) -> Result<Option<Self>, Trouble> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(trouble("/etc/passwd cannot be read"))?;
        let find = |wanted: &&str| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let found = fields.next()? == *wanted;
                let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
                found.then_some(Self { uid, gid })
            })
        };
        let found = wanted.iter().find_map(find);
        found.map(Some).ok_or_else(|| Trouble(format!("{server} cannot run as root, and there is no other user")))
    }
}

/// The same command, run as this user.
pub(crate) fn as_user(mut command: Command, user: Option<User>) -> Command {
    if let Some(User { uid, gid }) = user {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/");
    command
}

/// Whether this user may write to a folder.
pub(crate) fn reaches(user: Option<User>, folder: &Path) -> bool {
    let mut test = as_user(Command::new("test"), user);
    test.arg("-w").arg(folder).status().is_ok_and(|status| status.success())
}
