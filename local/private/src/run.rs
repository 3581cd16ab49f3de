//! The folder of one run of tests, below which each server has its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::folder::{lock, lock_left_over};
use crate::{Trouble, aws, postgres, rabbitmq, redis, trouble};

/// A run: locked as long as this value lives. Its folder goes with it, unless a server has left its log there.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    _lock: File,
}

impl Run {
    /// Make the folder of this process's run below `parent`, after clearing what killed runs have left there.
    pub async fn begin(parent: &Path) -> Result<Self, Trouble> {
        sweep(parent).await?;
        let folder = parent.join(std::process::id().to_string());
        fs::create_dir_all(&folder).map_err(trouble(format!("the folder {} cannot be made", folder.display())))?;
        let lock = lock(&folder)?.ok_or_else(|| Trouble(format!("{} is in use: try again", folder.display())))?;
        Ok(Self { folder, _lock: lock })
    }

    /// The folder of PostgreSQL.
    pub fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// The folder of Redis.
    pub fn redis(&self) -> PathBuf {
        self.folder.join("redis")
    }

    /// The folder of RabbitMQ.
    pub fn rabbitmq(&self) -> PathBuf {
        self.folder.join("rabbitmq")
    }

    /// The folder of what plays AWS.
    pub fn aws(&self) -> PathBuf {
        self.folder.join("aws")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A server that would not start has left the log that its error names: it stays for the next run to clear.
        if fs::read_dir(&self.folder).is_ok_and(|entries| entries.count() == 1) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Clear what killed runs have left below `parent`, their servers among it.
async fn sweep(parent: &Path) -> Result<(), Trouble> {
    let Ok(folders) = fs::read_dir(parent) else { return Ok(()) };
    for folder in folders.flatten().map(|entry| entry.path()) {
        let Some(lock) = lock_left_over(&folder) else { continue };
        let run = Run { folder, _lock: lock };
        postgres::Server::reset(&run.postgres()).await?;
        redis::Server::reset(&run.redis())?;
        rabbitmq::Server::reset(&run.rabbitmq())?;
        aws::Server::reset(&run.aws())?;
    }
    Ok(())
}
