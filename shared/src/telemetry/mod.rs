//! What the service tells of itself: logs, metrics, and which queries are slow.

pub mod embedded;
pub mod logs;
pub mod metrics;
pub mod queries;
pub mod request_id;

use std::io;

use crate::config::Config;

/// Begin to log. To be called once, at the start.
///
/// # Errors
/// When the log file cannot be written.
pub fn init(config: &Config) -> io::Result<()> {
    queries::slow_after(config.slow_query);
    logs::init(config.log_level, config.log_file.as_deref())
}
