//! The program as people meet it: as a process, over a real port.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod program;
mod running;
