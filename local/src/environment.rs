//! `.env` files: what is set in the environment goes before what stands in them.

use std::env;
use std::path::{Path, PathBuf};

use crate::Trouble;

/// Read `.env.<APP_ENV>` from the folder the program was started in.
pub(crate) fn load() -> Result<(), Trouble> {
    let app_env = env::var("APP_ENV").unwrap_or_else(|_| "development".to_owned());
    let path = PathBuf::from(format!(".env.{app_env}"));
    if path.exists() {
        dotenvy::from_path(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    }
    Ok(())
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where what belongs to this machine alone is kept: `target/` of the workspace.
pub(crate) fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target");
    env::var_os("CARGO_TARGET_DIR").map_or(workspace, PathBuf::from)
}
