//! Logs: a JSON object a line, or readable lines on a terminal; on request in a file, too.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;
use std::{fmt, fs};

use serde::Serialize;
use serde_json::ser::Formatter;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_rolling_file::{RollingConditionBase, RollingFileAppender, RollingFileAppenderBase};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::{BoxMakeWriter, MakeWriterExt};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::Clock;

/// The crates of ours that log.
const OURS: [&str; 14] = [
    "shared", "auth", "fanout", "images", "local", "menus", "migrate", "orders", "picture", "relay", "stores",
    "stream", "system", "tables",
];

/// Begin to log to standard output and, if there is to be one, to a file. To be called once, at the start.
pub(super) fn init(level: Level, file: Option<&Path>) -> io::Result<()> {
    let file = file.map(LogFile::open).transpose()?.map(Mutex::new);
    let on_terminal = io::stdout().is_terminal();
    let writer = match (on_terminal, file) {
        (true, None) => None,
        (true, Some(file)) => Some(BoxMakeWriter::new(file)),
        (false, None) => Some(BoxMakeWriter::new(io::stdout)),
        (false, Some(file)) => Some(BoxMakeWriter::new(io::stdout.and(file))),
    };
    tracing_subscriber::registry()
        .with(filter(level))
        .with(on_terminal.then(|| tracing_subscriber::fmt::layer().compact().with_target(false)))
        .with(writer.map(JsonLines::new))
        .init();
    Ok(())
}

/// Everything of ours from `level` up; of the libraries only what is wrong.
pub fn filter(level: Level) -> Targets {
    Targets::new().with_default(Level::WARN).with_targets(OURS.map(|name| (name, level)))
}

/// Writes a JSON object a line: `timestamp level message module line`, then the fields of the event and of the spans around
/// it (`request_id` and `user_id` among them), and `exception` where there is one.
#[derive(Debug)]
pub struct JsonLines<W> {
    clock: Clock,
    writer: W,
}

impl<W> JsonLines<W> {
    /// Writes to these.
    pub fn new(writer: W) -> Self {
        Self { clock: Clock::system(), writer }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().replace(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Fields::default();
        line.add("timestamp", &self.clock.now());
        line.add("level", metadata.level().as_str());
        event.record(&mut Message(&mut line));
        if metadata.fields().field(MESSAGE).is_none() {
            line.add(MESSAGE, &None::<&str>);
        }
        line.add("module", metadata.module_path().unwrap_or(metadata.target()));
        line.add("line", &metadata.line());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(around) = span.extensions().get::<Fields>() {
                line.0.extend_from_slice(&around.0);
            }
        }
        event.record(&mut line);
        let mut line = line.0;
        line.extend_from_slice(b"}\n");
        line[0] = b'{';
        // In one piece, so that lines do not mix. Nobody could be told that it cannot be written.
        let _ = self.writer.make_writer_for(metadata).write_all(&line);
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

/// What an event or a span says, but for its message. It is JSON already, `,"name":value` for each, so that a span's fields
/// are written once, however many lines they stand on.
struct Fields(Vec<u8>);

impl Default for Fields {
    /// With room for most lines.
    fn default() -> Self {
        Self(Vec::with_capacity(512))
    }
}

impl Fields {
    fn add(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        // Neither memory nor these values refuse to be written.
        let _ = write!(self.0, ",\"{name}\":");
        let _ = value.serialize(&mut serde_json::Serializer::with_formatter(&mut self.0, Harmless));
    }
}

/// Writes an event's message alone.
struct Message<'a>(&'a mut Fields);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            self.0.add(MESSAGE, &format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.0.add(MESSAGE, value);
        }
    }
}

/// What `tracing` calls an event's text.
const MESSAGE: &str = "message";

/// JSON escapes ASCII's control characters. This escapes the others, too, which a client may send in a path: a terminal that
/// shows the log would obey them, and some readers take them for the end of a line.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, sign)) = rest.char_indices().find(|&(_, sign)| is_harmful(sign)) {
            write!(writer, "{}\\u{:04x}", &rest[..at], u32::from(sign))?;
            rest = &rest[at + sign.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Whether it is a control character, a line's or paragraph's end, or changes the direction of text.
fn is_harmful(sign: char) -> bool {
    sign.is_control() || matches!(sign, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != MESSAGE {
            self.add(field.name(), &format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != MESSAGE {
            self.add(field.name(), value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), &value);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn every_function_is_heard() {
        let functions =
            std::fs::read_dir("../functions").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let silent: Vec<_> = functions.filter(|name| !filter(Level::INFO).would_enable(name, &Level::INFO)).collect();
        assert!(silent.is_empty(), "their lines would not be written: {silent:?}");
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_says_the_same() {
        let text = "가\u{1b}[31m\u{7f}\u{9b}나\u{85}\u{2028}\u{202e}\u{2066}\n\"다\"";
        let mut fields = Fields::default();

        fields.add("path", text);

        let written = String::from_utf8(fields.0).unwrap();
        assert_eq!(written, r#","path":"가\u001b[31m\u007f\u009b나\u0085\u2028\u202e\u2066\n\"다\"""#);
        let read: serde_json::Value = serde_json::from_str(&format!("{{{}}}", &written[1..])).unwrap();
        assert_eq!(read["path"], text);
    }

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
