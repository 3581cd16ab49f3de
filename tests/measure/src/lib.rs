//! What the programs share that measure the service, each a task of `make`: `bench`, `security` and `faults`. What only one
//! of them needs is in its own crate.

pub mod http;
pub mod load;
pub mod machine;
pub mod program;
pub mod report;
pub mod service;

/// What went wrong, as a sentence.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;
