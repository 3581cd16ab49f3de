//! The floor of an order: `pgbench` running the statements that the service was seen to send, with other values each time.
//!
//! The scripts are made from a recording, so that they stay true when the SQL changes. What tells one order from another
//! (store, table, menus, idempotency key, event, time) is drawn anew for every transaction, as the load on the service
//! draws it; everything else is bound as it was recorded, the stored answer and the event with their full length.

use std::fmt::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use measure::Trouble;
use private_services::postgres::Programs;
use uuid::Uuid;

use crate::data::{STORE_ID_PREFIX, Store};
use crate::recording::Statement;

/// What is known of the order whose placing was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// Its store.
    pub(crate) store_id: Uuid,
    /// Its table.
    pub(crate) table_id: i64,
    /// Its table's session, which was open before.
    pub(crate) session_id: i64,
    /// Its idempotency key.
    pub(crate) key: String,
    /// Its menus.
    pub(crate) menu_ids: Vec<i64>,
    /// When it was placed.
    pub(crate) at: DateTime<Utc>,
}

/// A script, and the values of the variables in it that stay the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// The script.
    pub(crate) text: String,
    /// Variables to be defined on the command line.
    pub(crate) constants: Vec<(String, String)>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Transactions that were committed.
    pub(crate) transactions: u64,
    /// Transactions a second, once connected.
    pub(crate) per_second: f64,
}

/// Make a script from a recorded transaction. `name` keeps its constants apart from other scripts'.
pub(crate) fn script(
    name: &str,
    transaction: &[Statement],
    placed: &Placed,
    stores: &[Store],
) -> Result<Script, Trouble> {
    let mut made = Script { text: draw(stores, placed.menu_ids.len())?, constants: Vec::new() };
    let mut session_is_read = false;
    for (number, statement) in transaction.iter().enumerate() {
        let mut expressions = Vec::new();
        for (position, value) in statement.parameters.iter().enumerate() {
            let expression = match value.as_deref() {
                None => "null".to_owned(),
                Some(value) => match varied(value, placed) {
                    Some(expression) => expression,
                    None => {
                        let variable = format!("{name}_{number}_{position}");
                        made.constants.push((variable.clone(), value.to_owned()));
                        format!(":{variable}")
                    }
                },
            };
            if expression == ":session_id" && !session_is_read {
                return Err("the session's id is used before it is read".into());
            }
            expressions.push(expression);
        }
        let (sql, names) = plain_names(&statement.sql);
        let reads_session = names.contains(&"session_id");
        session_is_read |= reads_session;
        let end = if reads_session { "\n\\gset" } else { ";" };
        writeln!(made.text, "{}{end}", substitute(&sql, &expressions)?)?;
    }
    Ok(made)
}

/// The part of a script that draws a table of one of the stores, menus of that store, a key and an event.
fn draw(stores: &[Store], items: usize) -> Result<String, Trouble> {
    let mut text = format!("\\set store random(1, {})\n", stores.len());
    for (position, store) in stores.iter().enumerate() {
        let branch = if position == 0 { "if" } else { "elif" };
        let (first_table, last_table) = store.table_ids()?;
        let (first_menu, last_menu) = store.menu_ids()?;
        writeln!(text, "\\{branch} :store = {}", store.number)?;
        writeln!(text, "\\set table_id random({first_table}, {last_table})")?;
        writeln!(text, "\\set first_menu {first_menu}\n\\set menus {}", last_menu - first_menu + 1)?;
    }
    text.push_str("\\endif\n\\set menu random(0, :menus - 1)\n");
    for item in 0..items {
        writeln!(text, "\\set menu_{item} :first_menu + (:menu + {item}) % :menus")?;
    }
    // As long as the keys of the load on the service.
    text.push_str("\\set key random(1000000000000000000, 9223372036854775807)\n");
    text.push_str("\\set event random(1, 9223372036854775807)\n");
    Ok(text)
}

/// What to put in place of a recorded value that is another for every order; `None` if it stays.
fn varied(value: &str, placed: &Placed) -> Option<String> {
    if value == placed.key {
        return Some(":key".to_owned());
    }
    if value == placed.table_id.to_string() {
        return Some(":table_id".to_owned());
    }
    if value == placed.session_id.to_string() {
        return Some(":session_id".to_owned());
    }
    if let Ok(id) = Uuid::parse_str(value) {
        return Some(if id == placed.store_id {
            format!("('{STORE_ID_PREFIX}' || lpad(:store::text, 12, '0'))::uuid")
        } else {
            // Like the application's ids it sorts by time: an index that grows at its end is cheaper to keep.
            let millis = "lpad(to_hex((extract(epoch from now()) * 1000)::bigint), 12, '0')";
            format!("({millis} || lpad(to_hex(:event::bigint), 20, '0'))::uuid")
        });
    }
    if let Ok(time) = DateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S%.f%#z") {
        let before = placed.at - time.to_utc();
        return Some(if before == TimeDelta::zero() {
            "now()".to_owned()
        } else {
            format!("(now() - interval '{} milliseconds')", before.num_milliseconds())
        });
    }
    let elements: Option<Vec<i64>> =
        value.strip_prefix('{')?.strip_suffix('}')?.split(',').map(|element| element.parse().ok()).collect();
    let position = |id: &i64| placed.menu_ids.iter().position(|menu_id| menu_id == id);
    let menus: Option<Vec<_>> = elements?.iter().map(position).collect();
    let menus: Vec<_> = menus?.into_iter().map(|position| format!(":menu_{position}")).collect();
    Some(format!("array[{}]::bigint[]", menus.join(", ")))
}

/// Cut the types off quoted names, as in `"id!: OrderId"`: sqlx reads them, and `\gset` wants plain names. Gives the names,
/// too.
fn plain_names(sql: &str) -> (String, Vec<&str>) {
    let mut names = Vec::new();
    let parts = sql.split('"').enumerate().map(|(position, part)| {
        if position % 2 == 0 {
            return part;
        }
        let name = part.split(['?', '!', ':']).next().unwrap_or(part);
        names.push(name);
        name
    });
    let plain = parts.collect::<Vec<_>>().join("\"");
    (plain, names)
}

/// Put expressions in place of `$1` and so on.
fn substitute(sql: &str, expressions: &[String]) -> Result<String, Trouble> {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let position: usize = part[..digits].parse()?;
        let expression = expressions.get(position.wrapping_sub(1)).ok_or("a parameter has no value")?;
        text.push_str(expression);
        text.push_str(&part[digits..]);
    }
    Ok(text)
}

/// Run `pgbench` with as many clients for some time (whole seconds), each transaction one of the scripts in `folder`.
pub(crate) fn run(
    url: &str,
    scripts: &[Script],
    folder: &Path,
    clients: usize,
    time: Duration,
) -> Result<Run, Trouble> {
    let mut command = Programs::pgbench()?;
    let threads = clients.min(std::thread::available_parallelism()?.get());
    command.args(["--no-vacuum", "--protocol=prepared", "--max-tries=1"]);
    command
        .arg(format!("--client={clients}"))
        .arg(format!("--jobs={threads}"))
        .arg(format!("--time={}", time.as_secs()));
    for (number, script) in scripts.iter().enumerate() {
        let path = folder.join(format!("place-order-{number}.sql"));
        std::fs::write(&path, &script.text)?;
        command.arg("--file").arg(path);
        for (name, value) in &script.constants {
            command.arg("--define").arg(format!("{name}={value}"));
        }
    }
    let output = command.arg(url).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || said.contains("aborted") {
        return Err(format!("pgbench failed: {said}").into());
    }
    outcome(&String::from_utf8_lossy(&output.stdout))
}

/// What `pgbench` prints at its end.
fn outcome(printed: &str) -> Result<Run, Trouble> {
    let value = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.ok_or_else(|| Trouble::from(format!("pgbench did not say \"{name}\": {printed}")))
    };
    let failed: u64 = value("number of failed transactions:")?.parse()?;
    if failed > 0 {
        return Err(format!("{failed} transactions of pgbench failed").into());
    }
    Ok(Run {
        transactions: value("number of transactions actually processed:")?.parse()?,
        per_second: value("tps =")?.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed() -> Placed {
        Placed {
            store_id: crate::data::store_id(2),
            table_id: 1_000_007,
            session_id: 2_000_009,
            key: "4242".to_owned(),
            menu_ids: vec![3_000_002, 3_000_003],
            at: "2026-11-21T04:31:20.123Z".parse().unwrap(),
        }
    }

    fn statement(sql: &str, parameters: &[Option<&str>]) -> Statement {
        Statement { sql: sql.to_owned(), parameters: parameters.iter().map(|value| value.map(str::to_owned)).collect() }
    }

    fn stores() -> Vec<Store> {
        let store = |number, tables: [i64; 2], menus: [i64; 3]| Store::for_test(number, &tables, &menus);
        vec![store(1, [11, 12], [31, 32, 33]), store(2, [13, 14], [34, 35, 36])]
    }

    #[test]
    fn a_script_draws_what_differs_and_keeps_the_rest() {
        let store = crate::data::store_id(2).to_string();
        let transaction = [
            statement("BEGIN", &[]),
            statement(
                r#"select s.id as "session_id?: SessionId" where $1 and $2 and $3 and $4 > $10"#,
                &[
                    Some(&store),
                    Some("1000007"),
                    Some("4242"),
                    Some("2026-11-20 04:31:20.123+00"),
                    None,
                    None,
                    None,
                    None,
                    None,
                    Some("12000"),
                ],
            ),
            statement(
                "insert $1::bigint, $2, $3, $4, $5",
                &[
                    Some("2000009"),
                    Some("2026-11-21 04:31:20.123+00"),
                    Some("{3000003,3000002}"),
                    Some("{2,1}"),
                    Some("0198b96e-f951-7018-866b-8bb6f1cdd025"),
                ],
            ),
            statement("COMMIT", &[]),
        ];
        let script = script("two", &transaction, &placed(), &stores()).unwrap();
        let (drawn, sent) = script.text.split_once("BEGIN;\n").unwrap();
        assert_eq!(
            drawn,
            "\\set store random(1, 2)\n\
             \\if :store = 1\n\\set table_id random(11, 12)\n\\set first_menu 31\n\\set menus 3\n\
             \\elif :store = 2\n\\set table_id random(13, 14)\n\\set first_menu 34\n\\set menus 3\n\\endif\n\
             \\set menu random(0, :menus - 1)\n\
             \\set menu_0 :first_menu + (:menu + 0) % :menus\n\\set menu_1 :first_menu + (:menu + 1) % :menus\n\
             \\set key random(1000000000000000000, 9223372036854775807)\n\\set event random(1, 9223372036854775807)\n"
        );
        let statements: Vec<_> = sent.lines().collect();
        assert_eq!(
            statements[0],
            format!(
                "select s.id as \"session_id\" where ('{STORE_ID_PREFIX}' || lpad(:store::text, 12, '0'))::uuid and \
                 :table_id and :key and (now() - interval '86400000 milliseconds') > :two_1_9"
            )
        );
        assert_eq!(statements[1], "\\gset");
        let inserted = "insert :session_id::bigint, now(), array[:menu_1, :menu_0]::bigint[], :two_2_3, (lpad(";
        assert!(statements[2].starts_with(inserted), "{}", statements[2]);
        assert_eq!(statements[3..], ["COMMIT;"]);
        let constants = [("two_1_9", "12000"), ("two_2_3", "{2,1}")];
        assert_eq!(script.constants, constants.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_session_that_nobody_has_read_is_an_error() {
        let transaction = [statement("insert $1", &[Some("2000009")])];
        assert!(script("x", &transaction, &placed(), &stores()).is_err());
    }

    #[test]
    fn reads_what_pgbench_prints() {
        let printed = "transaction type: multiple scripts\nnumber of transactions actually processed: 1234\n\
                       number of failed transactions: 0 (0.000%)\nlatency average = 6.4 ms\n\
                       tps = 617.250000 (without initial connection time)\nSQL script 1: a.sql\n";
        let run = outcome(printed).unwrap();
        assert_eq!((run.transactions, run.per_second), (1234, 617.25));
        assert!(outcome(&printed.replace("transactions: 0", "transactions: 3")).is_err());
        assert!(outcome("").is_err());
    }
}
