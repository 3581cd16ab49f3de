//! What the service withstands. Guests order and staff work while its parts are killed, paused, cut off and lied to; what
//! was acknowledged is written down beside it. Afterwards the journal, the database, the outbox and every screen must tell
//! the same.

pub mod faults;
pub mod gateway;
pub mod guests;
pub mod making;
pub mod plan;
pub mod proxy;
pub mod report;
pub mod run;
pub mod screens;
pub mod service;
pub mod verdict;
