//! What was found, as Markdown that reads well on a terminal, too, and how it gets into a document.

use std::fmt::Write;
use std::path::Path;
use std::{fmt, fs};

use crate::Trouble;
use crate::program::say;

/// Where the results end in a document.
const END: &str = "<!-- end of results -->\n";

/// The median of several rounds, with the least and the most of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of these values. All zero if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |position: usize| values.get(position).copied().unwrap_or_default();
        let (half, last) = (values.len() / 2, values.len().saturating_sub(1));
        let median = if values.len() % 2 == 1 { at(half) } else { (at(half.saturating_sub(1)) + at(half)) / 2.0 };
        Self { median, least: at(0), most: at(last) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, least, most } = self;
        let digits = f.precision().unwrap_or(0);
        write!(f, "{median:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}

/// Something that was to be reached.
#[derive(Clone, Debug)]
pub struct Target {
    what: String,
    wanted: String,
    measured: String,
    /// Whether it was.
    pub met: bool,
}

impl Target {
    /// A value that must not be above a limit.
    pub fn at_most(what: &str, limit: f64, unit: &str, measured: f64) -> Self {
        Self::new(what, "≤", limit, unit, measured, measured <= limit)
    }

    /// A value that must not be below a limit.
    pub fn at_least(what: &str, limit: f64, unit: &str, measured: f64) -> Self {
        Self::new(what, "≥", limit, unit, measured, measured >= limit)
    }

    /// What must simply be so.
    pub fn holds(what: &str, wanted: &str, measured: String, met: bool) -> Self {
        Self { what: what.to_owned(), wanted: wanted.to_owned(), measured, met }
    }

    fn new(what: &str, relation: &str, limit: f64, unit: &str, measured: f64, met: bool) -> Self {
        let wanted = format!("{relation} {limit} {unit}");
        let measured = if measured < 100.0 { format!("{measured:.2} {unit}") } else { format!("{measured:.0} {unit}") };
        Self { what: what.to_owned(), wanted, measured, met }
    }
}

/// The targets as a table.
pub fn targets(targets: &[Target]) -> String {
    let row = |target: &Target| {
        let met = if target.met { "✓" } else { "✗" };
        vec![target.what.clone(), target.wanted.clone(), target.measured.clone(), met.to_owned()]
    };
    table(&["target", "wanted", "measured", ""], &targets.iter().map(row).collect::<Vec<_>>())
}

/// A table, its first column to the left, the others to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<_> = header.iter().map(|&cell| cell.to_owned()).collect();
    let all = || std::iter::once(&header).chain(rows);
    let length = |cell: &str| cell.chars().count();
    let width =
        |column: usize| all().filter_map(|row| row.get(column)).map(|cell| length(cell)).max().unwrap_or(0).max(3);
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rules = widths.iter().enumerate().map(|(column, &width)| match column {
        0 => "-".repeat(width),
        _ => format!("{}:", "-".repeat(width - 1)),
    });
    let mut text = line(&header);
    let _ = writeln!(text, "| {} |", rules.collect::<Vec<_>>().join(" | "));
    text.extend(rows.iter().map(line));
    text
}

/// Say how many of the targets were missed.
pub fn say_missed(missed: usize) {
    match missed {
        0 => say("Every target was met."),
        _ => say(&format!("{missed} of the targets were MISSED: see the table of targets above.")),
    }
}

/// Replace the results of a task of `make` in a document of the folder `docs`.
///
/// # Errors
/// When the document lacks the marks around them, or cannot be read or written.
pub fn replace_results(task: &str, document: &str, results: &str) -> Result<(), Trouble> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(document);
    let replaced = put_into(&fs::read_to_string(&path)?, task, results);
    let text = replaced.ok_or_else(|| format!("docs/{document} lacks the marks around its results"))?;
    fs::write(&path, text)?;
    say(&format!("Wrote the results to docs/{document}."));
    Ok(())
}

/// A document with the results of a task replaced. `None` if it lacks the marks around them.
fn put_into(document: &str, task: &str, results: &str) -> Option<String> {
    let begin = format!("<!-- results, written by `make {task}` -->\n");
    let (head, rest) = document.split_once(&begin)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{begin}\n{}\n\n{END}{tail}", results.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two() {
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, most: 9.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), Spread { median: 3.0, least: 1.0, most: 9.0 });
        assert_eq!(Spread::of([]).median, 0.0);
        assert_eq!(Spread::of([1.0, 2.4, 9.0]).to_string(), "2 (1–9)");
        assert_eq!(format!("{:.1}", Spread::of([1.0, 2.4, 9.0])), "2.4 (1.0–9.0)");
    }

    #[test]
    fn a_target_is_met_at_its_limit_and_missed_beyond() {
        assert!(Target::at_most("p95", 200.0, "ms", 200.0).met);
        assert!(!Target::at_most("p95", 200.0, "ms", 200.1).met);
        assert!(Target::at_least("ratio", 0.6, "×", 0.6).met);
        assert!(!Target::at_least("ratio", 0.6, "×", 0.59).met);
    }

    #[test]
    fn columns_are_aligned() {
        let targets = targets(&[Target::at_most("p95", 200.0, "ms", 1.5), Target::at_least("a ratio", 0.6, "×", 0.5)]);
        assert_eq!(
            targets,
            "| target  |   wanted | measured |     |\n\
             | ------- | -------: | -------: | --: |\n\
             | p95     | ≤ 200 ms |  1.50 ms |   ✓ |\n\
             | a ratio |  ≥ 0.6 × |   0.50 × |   ✗ |\n"
        );
    }

    #[test]
    fn only_the_results_of_a_document_are_replaced() {
        let begin = "<!-- results, written by `make bench` -->\n";
        let document = format!("method\n\n{begin}old\n{END}after\n");
        let once = put_into(&document, "bench", "new\n").unwrap();
        assert_eq!(once, format!("method\n\n{begin}\nnew\n\n{END}after\n"));
        assert_eq!(put_into(&once, "bench", "new").unwrap(), once);
        assert!(put_into(&once, "security", "new").is_none());
        assert!(put_into("nothing", "bench", "new").is_none());
    }
}
