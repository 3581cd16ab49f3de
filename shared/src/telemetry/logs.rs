//! Logs: a JSON object a line, or readable lines on a terminal; on request in a file, too.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;
use std::{fmt, fs};

use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_rolling_file::{RollingConditionBase, RollingFileAppender, RollingFileAppenderBase};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;

/// Begin to log to standard output and, if there is to be one, to a file. To be called once, at the start.
pub(super) fn init(level: Level, file: Option<&Path>) -> io::Result<()> {
    let file = file.map(LogFile::open).transpose()?;
    let on_terminal = io::stdout().is_terminal();
    tracing_subscriber::registry()
        .with(filter(level))
        .with(on_terminal.then(|| tracing_subscriber::fmt::layer().compact().with_target(false)))
        .with((!on_terminal).then(|| json_lines().with_writer(io::stdout)))
        .with(file.map(|file| json_lines().with_writer(Mutex::new(file))))
        .init();
    Ok(())
}

/// Everything of ours from `level` up; of the libraries only what is wrong.
pub fn filter(level: Level) -> EnvFilter {
    let ours = ["shared", "auth", "menus", "orders", "stores", "stream", "system", "tables", "local"];
    let directives: Vec<_> = ours.iter().map(|name| format!("{name}={level}")).collect();
    EnvFilter::new(format!("warn,{}", directives.join(",")))
}

/// Writes a JSON object a line.
pub fn json_lines<S: Subscriber + for<'a> LookupSpan<'a>>() -> tracing_subscriber::fmt::Layer<S, JsonFields, JsonLines>
{
    tracing_subscriber::fmt::layer().event_format(JsonLines { clock: Clock::system() }).fmt_fields(JsonFields::new())
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

/// A log file begins anew at this size, in bytes, and every day.
const LARGEST_FILE: u64 = 100 * 1024 * 1024;
/// Log files before the present one: seven with it.
const OLDER_FILES: usize = 6;

/// A file that begins anew every day and when it is large; the ones before are called `.1` to `.6`.
#[derive(Debug)]
pub struct LogFile(RollingFileAppenderBase);

impl LogFile {
    /// Go on writing to a file, or begin it.
    ///
    /// # Errors
    /// When the file, or the folder it is to be in, cannot be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let anew = RollingConditionBase::new().daily().max_size(LARGEST_FILE);
        Ok(Self(RollingFileAppender::new(path, anew, OLDER_FILES)?))
    }
}

impl Write for LogFile {
    /// Not kept back: what was logged last is what is looked for after a crash.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.0.flush()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = u64::from_ne_bytes(crate::clock::random());
            Self(std::env::temp_dir().join(format!("table-order-logs-{name:x}")))
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_log_file_begins_anew_at_100_mb_and_seven_are_kept() {
        let folder = Folder::new();
        let path = folder.0.join("service.log");
        for line in 0..10 {
            writeln!(LogFile::open(&path).unwrap(), "line {line}").unwrap();
            // Only said to be large: no disk is filled.
            fs::File::options().write(true).open(&path).unwrap().set_len(LARGEST_FILE).unwrap();
        }
        let expected = ["", ".1", ".2", ".3", ".4", ".5", ".6"].map(|end| format!("service.log{end}"));
        assert_eq!(folder.files(), expected);
        let oldest = fs::read(folder.0.join("service.log.6")).unwrap();
        assert!(oldest.starts_with(b"line 3\n"));
    }

    #[test]
    fn a_log_file_begins_anew_every_day() {
        let folder = Folder::new();
        let mut file = LogFile::open(&folder.0.join("service.log")).unwrap();
        let evening: chrono::DateTime<chrono::Local> = chrono::DateTime::UNIX_EPOCH.into();
        for days in [0, 0, 1] {
            file.0.write_with_datetime(b"line\n", &(evening + chrono::TimeDelta::days(days))).unwrap();
        }
        assert_eq!(folder.files(), ["service.log", "service.log.1"]);
    }

    #[test]
    fn a_line_is_in_the_file_at_once() {
        let folder = Folder::new();
        let path = folder.0.join("service.log");
        let mut file = LogFile::open(&path).unwrap();
        writeln!(file, "line").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"line\n");
    }
}
