//! Servers of one's own: found or installed, started on free ports, stopped without a trace.
//!
//! It knows nothing of the service, so that it can be built and run while the service's queries are being changed.

pub mod aws;
mod folder;
pub mod nginx;
pub mod packages;
pub mod postgres;
mod process;
pub mod python;
pub mod rabbitmq;
pub mod redis;
mod run;
mod user;

use std::io::{self, Write};

pub use process::free_port;
pub use run::Run;

/// What went wrong, as one sentence that says what to do next.
#[derive(Debug)]
pub struct Trouble(pub String);

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

pub(crate) fn trouble(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Trouble {
    move |error| Trouble(format!("{what}: {error}"))
}

/// Past the test harness, too, which keeps what is printed to itself.
pub(crate) fn say(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}
