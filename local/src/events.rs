//! `events list` and `events replay`: what was laid aside, for a person at a terminal.

#![expect(clippy::print_stdout, reason = "this is what the program is to print")]

use local::laid_aside::{LaidAside, Message};
use shared::config::Config;

use crate::Trouble;

/// Print everything that was laid aside.
pub(crate) async fn list(config: &Config) -> Result<(), Trouble> {
    let laid_aside = find(config).await?;
    if laid_aside.messages.is_empty() {
        println!("Nothing was laid aside.");
    } else {
        println!("{:<8}{:<30}{:<38}why", "where", "queue", "event");
        laid_aside.messages.iter().for_each(|message| println!("{}", line(message)));
    }
    laid_aside.put_back().await
}

/// Send these messages again, by event id; all of them when none is named.
pub(crate) async fn replay(config: &Config, ids: &[String]) -> Result<(), Trouble> {
    let laid_aside = find(config).await?;
    let named = |message: &&Message| {
        ids.is_empty() || message.message_id.as_ref().is_some_and(|message_id| ids.contains(message_id))
    };
    let (mut sent, mut left) = (0, 0);
    for message in laid_aside.messages.iter().filter(named) {
        match laid_aside.replay(message).await {
            Ok(()) => sent += 1,
            Err(trouble) => {
                left += 1;
                println!("{}\n{:<8}left where it lies: {trouble}", line(message), "");
            }
        }
    }
    laid_aside.put_back().await?;
    println!("Sent {sent} again, left {left}.");
    if left > 0 { Err("some messages cannot be sent again".into()) } else { Ok(()) }
}

async fn find(config: &Config) -> Result<LaidAside, Trouble> {
    let [rabbitmq_url, parked_queue_url] = config.required(["RABBITMQ_URL", "PARKED_QUEUE_URL"])?;
    LaidAside::find(&rabbitmq_url.into(), parked_queue_url).await
}

fn line(message: &Message) -> String {
    let unknown = "-".to_owned();
    let (queue, id) = (message.queue.as_ref().unwrap_or(&unknown), message.message_id.as_ref().unwrap_or(&unknown));
    format!("{:<8}{queue:<30}{id:<38}{}", message.place(), message.reason)
}
