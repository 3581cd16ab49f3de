//! What a limit that all processes share adds to a request, beside the least that Redis can be asked.

use std::time::Instant;

use measure::Trouble;
use measure::program::say;
use measure::report::{self, Spread, Target};
use shared::clock::Clock;
use shared::limiter::Limiter;
use shared::redis::{Patience, Redis};

use super::parts::Parts;
use crate::turns::in_turns;

/// Longest check, in times of a `PING`.
const LONGEST: f64 = 2.0;
/// Requests a minute that a caller is allowed, as in production.
const MOST: usize = 100;
/// Callers that take turns: so many that none of them reaches its limit.
const CALLERS: usize = 1_000;

pub(super) async fn measure(parts: &mut Parts, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let (asked, rounds) = (parts.effort.asked, parts.effort.order_rounds);
    say(&format!("The limiter and PING in turns, {asked} times: {rounds} rounds."));
    let redis = Redis::open(&parts.redis_url(), Patience::REQUEST)?;
    let limiter = Limiter::new(MOST, Some(Redis::open(&parts.redis_url(), Patience::REQUEST)?));
    let mut caller = 0;
    let results = in_turns(rounds, 2, async |side| {
        let mut times = Vec::new();
        for _ in 0..asked {
            caller += 1;
            let name = format!("table:{}", caller % CALLERS);
            let (began, now) = (Instant::now(), Clock::system().now());
            match side {
                0 => limiter.check(&name, now).await.map_err(|_| "a caller was refused")?,
                _ => redis.ask(async |redis| redis::cmd("PING").exec_async(redis).await).await?,
            }
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        Ok(Spread::of(times).median)
    })
    .await?;
    let [check, ping] = [0, 1].map(|side| Spread::of(results[side].iter().copied()));
    let ratio = check.median / ping.median;
    targets.push(Target::at_most("limit of a request beside a PING, p50", LONGEST, "×", ratio));
    let rows = [
        vec!["limit".to_owned(), check.to_string(), format!("{ratio:.2}")],
        vec!["`PING`".to_owned(), ping.to_string(), String::new()],
    ];
    Ok(report::table(&["side", "p50 µs", "ratio"], &rows))
}
