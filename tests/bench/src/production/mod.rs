//! What is measured of the service in the shape it has in production: real function binaries, RabbitMQ, SQS, Redis, and the
//! container of streams, on the same PostgreSQL as everything before.

mod cold_start;
mod drain;
mod floors;
mod limit;
mod nchan;
mod order_to_board;
mod parts;
mod pictures;
mod readers;
mod sample;
mod stores;
mod streams;

use measure::Trouble;
use measure::report::Target;

pub(crate) use parts::{Parts, reset};

/// One of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Starts of functions.
    ColdStarts,
    /// The relay.
    Drain,
    /// An order's way to the board.
    Board,
    /// Many streams.
    Streams,
    /// Many stores.
    Stores,
    /// The limit of requests.
    Limit,
    /// What is made of an upload.
    Pictures,
}

impl Part {
    /// In the order in which they are measured, with what they are called, and the headings of their results.
    const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::ColdStarts, "cold-starts", "Cold starts beside a bare function"),
        (Self::Drain, "drain", "Draining the outbox beside a bare publisher"),
        (Self::Board, "board", "From an order's commit to the board"),
        (Self::Streams, "streams", "Streams beside nginx with nchan"),
        (Self::Stores, "stores", "An event with few and with many stores"),
        (Self::Limit, "limit", "The limit of requests beside `PING`"),
        (Self::Pictures, "pictures", "Pictures beside libvips and Pillow"),
    ];

    /// The one that is called this.
    pub(crate) fn from_name(name: &str) -> Result<Self, Trouble> {
        let known = || Self::ALL.map(|(_, name, _)| name).join(", ");
        let found = Self::ALL.iter().find(|(_, known, _)| *known == name);
        found.map(|(part, ..)| *part).ok_or_else(|| format!("ONLY={name} is not one of {}", known()).into())
    }
}

/// Measure all of it, or one part alone. Gives a heading and a text for each measurement.
pub(crate) async fn measure(
    parts: &mut Parts,
    only: Option<Part>,
    targets: &mut Vec<Target>,
) -> Result<Vec<(&'static str, String)>, Trouble> {
    let mut sections = Vec::new();
    for (part, _, heading) in Part::ALL {
        if only.is_some_and(|only| only != part) {
            continue;
        }
        let text = match part {
            Part::ColdStarts => cold_start::measure(parts, targets).await?,
            Part::Drain => drain::measure(parts, targets).await?,
            Part::Board => order_to_board::measure(parts, targets).await?,
            Part::Streams => streams::measure(parts, targets).await?,
            Part::Stores => stores::measure(parts, targets).await?,
            Part::Limit => limit::measure(parts, targets).await?,
            Part::Pictures => pictures::measure(parts, targets).await?,
        };
        sections.push((heading, text));
    }
    Ok(sections)
}
