//! A run: the service under load, one fault after the other, and the verdict.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use measure::Trouble;
use measure::program::say;
use shared::auth::tokens::{Claims, Tokens};
use shared::clock::Clock;
use shared::config::Config;
use shared::db::owners::Owner;
use shared::domain::StoreId;
use shared::domain::account::Role;
use shared::domain::event::Envelope;
use shared::events::feed::Position;
use sqlx::{PgPool, Row};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::Fault;
use crate::guests::{Load, Outcome, Store};
use crate::making::Outage;
use crate::plan::Plan;
use crate::screens::Screen;
use crate::service::{Service, eventually};
use crate::verdict::{self, Faults};

/// How long the service may take to be back to normal. The schedule that makes a lost nudge good comes every minute.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is asked whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// How one fault was withstood.
#[derive(Clone, Debug)]
pub struct Withstood {
    /// The fault.
    pub fault: Fault,
    /// The fault itself, in time.
    pub outage: Outage,
    /// From when everything ran again until every screen knew all that had happened by then.
    pub back: Duration,
    /// How requests to place an order went in the calm before, if it is a fault that lasts.
    pub calm: Vec<Outcome>,
    /// How they went until the fault was being mended.
    pub meanwhile: Vec<Outcome>,
}

impl Withstood {
    /// Requests to place an order while nothing was wrong.
    pub fn without_a_fault(&self) -> impl Iterator<Item = &Outcome> {
        let meanwhile: &[Outcome] = if self.fault == Fault::Nothing { &self.meanwhile } else { &[] };
        self.calm.iter().chain(meanwhile)
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Each fault, each time.
    pub withstood: Vec<Withstood>,
    /// What is wrong. Empty if nothing is.
    pub faults: Faults,
    /// Processes killed.
    pub kills: u64,
    /// Orders acknowledged.
    pub orders: usize,
    /// Events in the outbox.
    pub events: usize,
    /// Events shown, over all screens.
    pub shown: u64,
    /// Streams opened, over all screens.
    pub streams: u64,
    /// Times a screen was told to load again.
    pub resyncs: u64,
    /// How many screens there were.
    pub screens: usize,
    /// How long the run took.
    pub took: Duration,
    /// PostgreSQL's version.
    pub postgres: String,
}

/// Everything that takes part.
struct Run {
    service: Service,
    load: Arc<Load>,
    /// Those held against the database: two in each store, one at each container first.
    recording: Vec<Arc<Screen>>,
    others: Vec<Arc<Screen>>,
    /// Those that have been turned off again.
    off: Vec<Arc<Screen>>,
    /// Events that some recording screen did not know of when it was asked last, and the last one it was asked about.
    unknown: Vec<Envelope>,
    asked: i64,
    unreadable: Vec<String>,
    withstood: Vec<Withstood>,
    faults: Faults,
}

/// Do all of it, with binaries from a folder and logs in another, and say how it goes.
///
/// # Errors
/// When something cannot be tried. What was tried and went wrong stands in the report.
pub async fn run(plan: &Plan, binaries: &Path, logs: &Path) -> Result<Report, Trouble> {
    let began = Instant::now();
    say("Starting PostgreSQL, Redis, RabbitMQ, SQS and the service.");
    let service = Service::start(binaries, logs).await?;
    let load = Load::new(service.lambda.clone(), stores(&service).await?);
    let stopped = CancellationToken::new();
    let watching = TaskTracker::new();
    let turn_on = |number, records| on(&service, &load, number, records, &stopped, &watching);
    let recording = all_on((0..2 * load.stores().len()).map(|number| turn_on(number, true)).collect()).await?;
    let others = all_on((0..plan.screens).map(|number| turn_on(number, false)).collect()).await?;
    let mut run = Run {
        service,
        load,
        recording,
        others,
        off: Vec::new(),
        unknown: Vec::new(),
        asked: 0,
        unreadable: Vec::new(),
        withstood: Vec::new(),
        faults: Faults::default(),
    };
    run.load.begin(plan.orders_a_second);
    for fault in plan.faults.iter().cycle() {
        run.withstand(*fault, plan).await?;
        let enough = match plan.until {
            None => run.withstood.len() == plan.faults.len(),
            Some((kills, orders)) => {
                run.withstood.len() >= plan.faults.len() && run.kills() >= kills && run.load.acknowledged() >= orders
            }
        };
        if enough {
            break;
        }
    }
    say("Waiting until every order is acknowledged and every screen knows of everything.");
    run.load.end().await;
    let report = run.judge(began).await?;
    stopped.cancel();
    watching.close();
    watching.wait().await;
    run.service.stop().await?;
    Ok(report)
}

impl Run {
    fn kills(&self) -> u64 {
        self.service.kills.load(Ordering::Relaxed)
    }

    async fn withstand(&mut self, fault: Fault, plan: &Plan) -> Result<(), Trouble> {
        let crowd = if fault == Fault::StreamKilled { Some(self.crowd(plan.crowd).await?) } else { None };
        let turn_from = Instant::now();
        let calm = if fault.lasts() {
            sleep(plan.settling).await;
            let calm_from = Instant::now();
            sleep(plan.calm).await;
            self.load.outcomes(calm_from, Instant::now())
        } else {
            Vec::new()
        };
        let outage = fault
            .happen(&mut self.service, &self.load, plan.lasts)
            .await
            .map_err(|error| format!("{fault}: {error}"))?;
        self.unreadable.extend(outage.unreadable.iter().map(ToString::to_string));
        let back = self.back_to_normal().await?;
        if let Some(crowd) = crowd {
            self.leave(crowd).await;
        }
        let meanwhile = self.load.outcomes(outage.began, outage.mending);
        if !fault.may_fail_orders() {
            let failed = self.load.outcomes(turn_from, Instant::now());
            let failed = failed.into_iter().filter_map(|outcome| outcome.failure);
            self.faults.note(&format!("requests to place an order failed ({fault})"), failed);
        }
        let normal = match back {
            Some(back) => format!("back to normal {:.1} s after", back.as_secs_f64()),
            None => {
                let unknown = self.unknown.iter().map(|event| event.event_id);
                self.faults.note(&format!("events did not reach every screen within 90 s ({fault})"), unknown);
                "NOT back to normal".to_owned()
            }
        };
        let out = (outage.mended - outage.began).as_secs_f64();
        let (kills, orders) = (self.kills(), self.load.acknowledged());
        say(&format!("{fault}: {out:.1} s, {normal}. So far {kills} kills, {orders} orders."));
        let back = back.unwrap_or(PATIENCE);
        self.withstood.push(Withstood { fault, outage, back, calm, meanwhile });
        Ok(())
    }

    /// Wait until every recording screen knows of all that has happened until now. `None` if that takes too long.
    async fn back_to_normal(&mut self) -> Result<Option<Duration>, Trouble> {
        let began = Instant::now();
        let query = "select coalesce(max(sequence), 0) from outbox";
        let last: i64 = sqlx::query(query).fetch_one(&self.service.db).await?.try_get(0)?;
        let query = "select payload from outbox where sequence > $1 and sequence <= $2 order by sequence";
        let rows = sqlx::query(query).bind(self.asked).bind(last).fetch_all(&self.service.db).await?;
        for row in rows {
            self.unknown.push(serde_json::from_str(row.try_get("payload")?)?);
        }
        self.asked = last;
        while began.elapsed() < PATIENCE {
            let recording = &self.recording;
            self.unknown.retain(|event| {
                recording.iter().any(|screen| screen.store_id == event.store_id && !screen.knows(event))
            });
            if self.unknown.is_empty() {
                return Ok(Some(began.elapsed()));
            }
            sleep(LOOK).await;
        }
        Ok(None)
    }

    /// Hold everything against everything.
    async fn judge(&mut self, began: Instant) -> Result<Report, Trouble> {
        let db = &self.service.db;
        eventually("the outbox is drained", async || verdict::waiting(db).await.is_ok_and(|waiting| waiting == 0))
            .await?;
        if self.back_to_normal().await?.is_none() {
            let unknown = self.unknown.iter().map(|event| event.event_id);
            self.faults.note("events did not reach every screen in the end", unknown);
        }
        self.all_at_one_place().await;
        let (db, mut faults) = (&self.service.db, std::mem::take(&mut self.faults));
        let journal = self.load.journal();
        verdict::journal_and_database(db, &journal, &mut faults).await?;
        verdict::screens(db, self.load.stores(), &self.recording, &mut faults).await?;
        let laid_aside = self.service.laid_aside().await?;
        let (dead, parked): (Vec<_>, Vec<_>) = laid_aside.iter().partition(|line| line.starts_with("dead "));
        faults.note("messages were dead-lettered", dead);
        // One that is parked twice is none too many: whoever is killed before it acknowledges a message is given it again.
        let is_parked = |id: &&String| parked.iter().any(|line| line.contains(id.as_str()));
        faults.note("unreadable messages are not parked", self.unreadable.iter().filter(|id| !is_parked(id)));
        let is_unreadable = |line: &&&String| self.unreadable.iter().any(|id| line.contains(id.as_str()));
        faults.note("readable messages are parked", parked.iter().filter(|line| !is_unreadable(line)));
        let (mut shown, mut streams, mut resyncs) = (0, 0, 0);
        let all = self.recording.iter().chain(&self.others);
        for (counts, complaints) in all.clone().chain(&self.off).map(|screen| screen.report()) {
            (shown, streams, resyncs) = (shown + counts.events, streams + counts.streams, resyncs + counts.resyncs);
            faults.note("complaints of a screen", complaints);
        }
        Ok(Report {
            withstood: std::mem::take(&mut self.withstood),
            faults,
            kills: self.kills(),
            orders: journal.len(),
            events: verdict::outbox(db).await?.len(),
            shown,
            streams,
            resyncs,
            screens: all.count() + self.off.len(),
            took: began.elapsed(),
            postgres: sqlx::query_scalar("show server_version").fetch_one(db).await?,
        })
    }

    /// More screens, for a while.
    async fn crowd(&self, number: usize) -> Result<Crowd, Trouble> {
        let (leaving, watching) = (CancellationToken::new(), TaskTracker::new());
        let turn_on = |number| on(&self.service, &self.load, number, false, &leaving, &watching);
        let screens = all_on((0..number).map(turn_on).collect()).await?;
        Ok(Crowd { screens, leaving, watching })
    }

    /// Wait until every screen of the crowd has come as far as the others were when it is told to leave, and turn it off.
    async fn leave(&mut self, crowd: Crowd) {
        let places = |screens: &[Arc<Screen>]| -> Vec<_> {
            screens.iter().map(|screen| (screen.store_id, screen.place())).collect()
        };
        let far = places(&self.recording);
        let waited = eventually("a screen of the crowd has come as far as the others", async || {
            let crowd = places(&crowd.screens);
            crowd.iter().all(|(store_id, place)| {
                let others = far.iter().filter(|(other, _)| other == store_id);
                others.clone().all(|(_, far)| as_far(place.as_ref(), far.as_ref()))
            })
        });
        if let Err(error) = waited.await {
            self.faults.0.push(error.to_string());
        }
        crowd.leaving.cancel();
        crowd.watching.close();
        crowd.watching.wait().await;
        self.off.extend(crowd.screens);
    }

    /// Wait until every screen of a store stands at the same place of its feed.
    async fn all_at_one_place(&mut self) {
        let all: Vec<_> = self.recording.iter().chain(&self.others).collect();
        let waited = eventually("all screens of a store stand at one place", async || {
            let mut places = HashMap::new();
            all.iter().all(|screen| {
                let place = screen.place();
                place.is_some() && *places.entry(screen.store_id).or_insert_with(|| place.clone()) == place
            })
        });
        if let Err(error) = waited.await {
            self.faults.0.push(error.to_string());
        }
    }
}

/// Screens that are there for a while.
struct Crowd {
    screens: Vec<Arc<Screen>>,
    leaving: CancellationToken,
    watching: TaskTracker,
}

/// Whether one place in a feed is not before another. One of another life of the feed is not.
fn as_far(place: Option<&Position>, other: Option<&Position>) -> bool {
    match (place, other) {
        (Some(place), Some(other)) => place.epoch != other.epoch || place.sequence >= other.sequence,
        _ => false,
    }
}

/// Turn a screen on. By its number two follow each other in each store, one at each container first.
fn on(
    service: &Service,
    load: &Load,
    number: usize,
    records: bool,
    stopped: &CancellationToken,
    watching: &TaskTracker,
) -> Arc<Screen> {
    let store = &load.stores()[number / 2 % load.stores().len()];
    let screen = Screen::new(store.id, store.admin.clone(), records);
    let (addresses, lambda) = (service.stream_addresses(), service.lambda.clone());
    watching.spawn(screen.clone().watch(addresses, number, lambda, stopped.clone()));
    screen
}

/// Wait until these screens are on.
async fn all_on(screens: Vec<Arc<Screen>>) -> Result<Vec<Arc<Screen>>, Trouble> {
    eventually("all screens are on", async || screens.iter().all(|screen| screen.place().is_some())).await?;
    Ok(screens)
}

/// The demo stores, with tokens for everybody.
async fn stores(service: &Service) -> Result<Vec<Store>, Trouble> {
    let variables = ["APP_ENV", "JWT_PRIVATE_KEY_PATH", "JWT_PUBLIC_KEY_PATH"];
    let variables = variables.map(|name| (name.to_owned(), service.variable(name).to_owned()));
    let tokens = Tokens::from_config(&Config::read(&variables.into())?, true)?;
    let rows = sqlx::query("select id from stores order by id").fetch_all(&service.db).await?;
    let mut stores = Vec::new();
    for row in rows {
        stores.push(store(&service.db, StoreId(row.try_get("id")?), &tokens).await?);
    }
    Ok(stores)
}

async fn store(db: &PgPool, id: StoreId, tokens: &Tokens) -> Result<Store, Trouble> {
    let token = |role, owner_id, version| {
        let owner = Owner { role, id: owner_id, store_id: Some(id) };
        tokens.sign(&Claims::new(owner, version, Clock::system().now(), TimeDelta::hours(12)))
    };
    let query = "select id, token_version from admins where store_id = $1";
    let admin = sqlx::query(query).bind(id.0).fetch_one(db).await?;
    let query = "select id, token_version from tables where store_id = $1";
    let tables = sqlx::query(query).bind(id.0).fetch_all(db).await?;
    let query = "select id, price from menus where store_id = $1 and is_available order by id";
    let menus = sqlx::query(query).bind(id.0).fetch_all(db).await?;
    let table = |row: &sqlx::postgres::PgRow| -> Result<_, Trouble> {
        let table_id = row.try_get("id")?;
        Ok((table_id, token(Role::Table, table_id, row.try_get("token_version")?)?))
    };
    Ok(Store {
        id,
        admin: token(Role::StoreAdmin, admin.try_get("id")?, admin.try_get("token_version")?)?,
        tables: tables.iter().map(table).collect::<Result<_, _>>()?,
        menus: menus
            .iter()
            .map(|row| Ok((row.try_get("id")?, row.try_get("price")?)))
            .collect::<Result<_, Trouble>>()?,
    })
}
