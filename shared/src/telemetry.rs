//! Logs: a JSON object a line, or readable lines on a terminal.

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;

use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;

/// Begin to log to standard output. To be called once, at the start.
pub fn init(level: Level) {
    let registry = tracing_subscriber::registry().with(filter(level));
    if std::io::stdout().is_terminal() {
        registry.with(tracing_subscriber::fmt::layer().compact().with_target(false)).init();
    } else {
        registry.with(json_lines()).init();
    }
}

/// Everything of ours from `level` up; of the libraries only what is wrong.
pub fn filter(level: Level) -> EnvFilter {
    let ours = ["shared", "auth", "menus", "orders", "stores", "stream", "system", "tables", "local"];
    let directives: Vec<_> = ours.iter().map(|name| format!("{name}={level}")).collect();
    EnvFilter::new(format!("warn,{}", directives.join(",")))
}

/// Writes a JSON object a line.
pub fn json_lines<S: Subscriber + for<'a> LookupSpan<'a>>()
-> tracing_subscriber::fmt::Layer<S, JsonFields, JsonLines, fn() -> std::io::Stdout> {
    tracing_subscriber::fmt::layer()
        .event_format(JsonLines { clock: Clock::system() })
        .fmt_fields(JsonFields::new())
        .with_writer(std::io::stdout)
}

/// The form of a line: `timestamp level message module line`, then the fields of the event and of the spans around it
/// (`request_id` and `user_id` among them), and `exception` where there is one.
#[derive(Debug)]
pub struct JsonLines {
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let written = extensions.get::<FormattedFields<N>>().map(|fields| fields.fields.as_str());
            if let Some(Ok(Value::Object(more))) = written.map(serde_json::from_str) {
                fields.0.extend(more);
            }
        }
        event.record(&mut fields);
        let mut line = Vec::with_capacity(256);
        self.write(&mut line, event, fields).map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", String::from_utf8_lossy(&line))
    }
}

impl JsonLines {
    fn write(&self, line: &mut Vec<u8>, event: &Event<'_>, mut fields: Fields) -> serde_json::Result<()> {
        let metadata = event.metadata();
        let mut serializer = serde_json::Serializer::new(line);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &self.clock.now())?;
        map.serialize_entry("level", metadata.level().as_str())?;
        map.serialize_entry("message", &fields.0.remove("message"))?;
        map.serialize_entry("module", metadata.module_path().unwrap_or(metadata.target()))?;
        map.serialize_entry("line", &metadata.line())?;
        for (name, value) in fields.0 {
            map.serialize_entry(&name, &value)?;
        }
        map.end()
    }
}

/// What an event says, as JSON values.
#[derive(Default)]
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }
}
