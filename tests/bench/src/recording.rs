//! What the service really sends to PostgreSQL, read from the server's own log (`log_statement = 'all'`).

use std::collections::HashMap;

/// A statement with the values of its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its text, as the client sent it.
    pub(crate) sql: String,
    /// `$1` and so on, as text; `None` for null.
    pub(crate) parameters: Vec<Option<String>>,
}

/// The transactions that a log tells of, each from `BEGIN` to `COMMIT`.
pub(crate) fn transactions(log: &str) -> Vec<Vec<Statement>> {
    let mut open: HashMap<&str, Vec<Statement>> = HashMap::new();
    let mut complete = Vec::new();
    for entry in entries(log) {
        let Some((prefix, message)) = entry.split_once("] ") else { continue };
        let process = prefix.rsplit('[').next().unwrap_or_default();
        if let Some(sql) = statement(message) {
            let begins = sql.eq_ignore_ascii_case("begin");
            let ends = sql.eq_ignore_ascii_case("commit");
            if begins {
                open.insert(process, Vec::new());
            }
            let Some(transaction) = open.get_mut(process) else { continue };
            // A continued line begins with a tab.
            transaction.push(Statement { sql: sql.replace("\n\t", "\n"), parameters: Vec::new() });
            if ends {
                complete.extend(open.remove(process));
            }
        } else if let Some((_, text)) =
            message.strip_prefix("DETAIL:  ").and_then(|text| text.split_once("arameters: "))
            && let Some(last) = open.get_mut(process).and_then(|transaction| transaction.last_mut())
        {
            last.parameters = parameters(&text.replace("\n\t", "\n"));
        }
    }
    complete
}

/// The entries of a log: lines that begin with a tab continue the one before.
fn entries(log: &str) -> impl Iterator<Item = &str> {
    let mut rest = log;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.match_indices('\n').map(|(at, _)| at).find(|at| !rest[at + 1..].starts_with('\t'));
        let (entry, tail) = rest.split_at(end.unwrap_or(rest.len()));
        rest = tail.strip_prefix('\n').unwrap_or(tail);
        Some(entry)
    })
}

/// The text of a statement: `LOG:  statement: BEGIN`, or `LOG:  execute sqlx_s_1: select …`.
fn statement(message: &str) -> Option<&str> {
    let message = message.strip_prefix("LOG:  ")?;
    let text = match message.strip_prefix("statement: ") {
        Some(text) => text,
        None => message.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    Some(text.trim())
}

/// `$1 = 'it''s', $2 = NULL` as values.
fn parameters(text: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = text;
    while let Some((_, value)) = rest.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            values.push(None);
            rest = value;
            continue;
        };
        // Two quotes are one that belongs to the value.
        let mut end = 0;
        while let Some(quote) = quoted[end..].find('\'') {
            end += quote;
            if !quoted[end + 1..].starts_with('\'') {
                break;
            }
            end += 2;
        }
        values.push(Some(quoted[..end].replace("''", "'")));
        rest = &quoted[end..];
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-11-21 04:00:00.001 UTC [7] LOG:  statement: BEGIN
2026-11-21 04:00:00.001 UTC [8] LOG:  execute sqlx_s_9: select 1
2026-11-21 04:00:00.002 UTC [7] LOG:  execute sqlx_s_1: select a
\t       from b -- it's there
\t       where c = $1
2026-11-21 04:00:00.002 UTC [7] DETAIL:  parameters: $1 = '5', $2 = NULL, $3 = 'it''s ''{\"a = b\"}''', $4 = ''
2026-11-21 04:00:00.002 UTC [8] LOG:  statement: BEGIN
2026-11-21 04:00:00.003 UTC [9] FATAL:  something else
2026-11-21 04:00:00.003 UTC [7] LOG:  statement: COMMIT
2026-11-21 04:00:00.004 UTC [8] LOG:  statement: ROLLBACK
";

    #[test]
    fn finds_whole_transactions_with_their_parameters() {
        let found = transactions(LOG);
        assert_eq!(found.len(), 1, "{found:?}");
        let texts: Vec<_> = found[0].iter().map(|statement| statement.sql.as_str()).collect();
        assert_eq!(texts, ["BEGIN", "select a\n       from b -- it's there\n       where c = $1", "COMMIT"]);
        let expected = [Some("5"), None, Some("it's '{\"a = b\"}'"), Some("")];
        assert_eq!(found[0][1].parameters, expected.map(|value| value.map(str::to_owned)));
    }

    #[test]
    fn a_value_may_end_in_quotes() {
        assert_eq!(parameters("$1 = '''', $2 = 'x'''"), [Some("'".to_owned()), Some("x'".to_owned())]);
    }
}
