//! The program as people meet it: as a process, over a real port, and in a browser.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod browser;
mod demo;
mod gateway;
mod program;
mod running;
