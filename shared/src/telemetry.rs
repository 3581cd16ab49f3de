//! Logs: JSON lines, or readable ones on a terminal.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Begin to log to standard output. To be called once, at the start.
pub fn init(level: Level) {
    let registry = tracing_subscriber::registry().with(filter(level));
    if std::io::stdout().is_terminal() {
        registry.with(fmt::layer().compact().with_target(false)).init();
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_span_list(false)).init();
    }
}

/// Everything of ours from `level` up; of the libraries only what is wrong.
pub fn filter(level: Level) -> EnvFilter {
    let ours = ["shared", "auth", "menus", "orders", "stores", "stream", "system", "tables", "local"];
    let directives: Vec<_> = ours.iter().map(|name| format!("{name}={level}")).collect();
    EnvFilter::new(format!("warn,{}", directives.join(",")))
}
