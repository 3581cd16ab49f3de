//! The folder of one server: locked while somebody uses it, with a password made once.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::user::{User, reaches};
use crate::{Trouble, trouble};

/// A folder that nobody else uses as long as this value lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    user: Option<User>,
    /// Whether it goes when this value is dropped.
    pub(crate) temporary: bool,
    _lock: File,
}

impl Folder {
    /// Make the folder, let the server's user own it, and lock it.
    ///
    /// Where that user cannot reach it, it is made below `/var/tmp` instead.
    pub(crate) fn make(wanted: &Path, user: Option<User>) -> Result<Self, Trouble> {
        let mut path = make(wanted, user)?;
        if !reaches(user, &path) {
            // Goes if it was only just made.
            let _ = fs::remove_dir(&path);
            path = make(&Path::new("/var/tmp").join(format!("table-order-{:016x}", hash(&path))), user)?;
        }
        let lock = lock(&path)?.ok_or_else(|| {
            let path = path.display();
            Trouble(format!("the server in {path} is in use: stop the other `make run` first"))
        })?;
        Ok(Self { path, user, temporary: false, _lock: lock })
    }

    /// Where it is, as an absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A number that is the folder's own, always the same.
    pub(crate) fn number(&self) -> u64 {
        hash(&self.path)
    }

    /// The password of the server, made once and kept beside its data.
    pub(crate) fn password(&self) -> Result<String, Trouble> {
        if let Ok(password) = fs::read_to_string(self.path.join("password")) {
            return Ok(password);
        }
        let mut bytes = [0u8; 16];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Trouble("there is no source of randomness".to_owned()))?;
        let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.write("password", &password)?;
        Ok(password)
    }

    /// Write a file that only the server's user may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Trouble> {
        let path = self.path.join(name);
        let failed = |error| trouble(format!("{} cannot be used", path.display()))(error);
        fs::write(&path, text).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        if let Some(User { uid, gid }) = self.user {
            chown(&path, Some(uid), Some(gid)).map_err(failed)?;
        }
        Ok(())
    }

    /// Remove it with all that is in it.
    pub(crate) fn remove(&mut self) -> Result<(), Trouble> {
        self.temporary = false;
        fs::remove_dir_all(&self.path).map_err(trouble(format!("{} cannot be removed", self.path.display())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // Nobody is left to be told.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Lock a folder, by a file in it. `None` if somebody else has.
pub(crate) fn lock(folder: &Path) -> Result<Option<File>, Trouble> {
    let path = folder.join("lock");
    let lock = File::create(&path).map_err(trouble(format!("{} cannot be written", path.display())))?;
    Ok(lock.try_lock().is_ok().then_some(lock))
}

/// Lock a folder that somebody has left, if this user may. `None` if it is in use, or was never locked.
pub(crate) fn lock_left_over(folder: &Path) -> Option<File> {
    let lock = OpenOptions::new().write(true).open(folder.join("lock")).ok()?;
    lock.try_lock().is_ok().then_some(lock)
}

fn make(folder: &Path, user: Option<User>) -> Result<PathBuf, Trouble> {
    let failed = |error| trouble(format!("the folder {} cannot be made", folder.display()))(error);
    fs::create_dir_all(folder).map_err(failed)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    if let Some(User { uid, gid }) = user {
        chown(folder, Some(uid), Some(gid)).map_err(failed)?;
    }
    folder.canonicalize().map_err(failed)
}

fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
