//! The floor of streams: nginx with nchan, which keeps a channel for each store.

use std::path::Path;
use std::time::Duration;

use measure::Trouble;
use measure::http::Connection;
use private_services::nginx::{Options, Server};
use shared::domain::StoreId;
use shared::domain::event::Envelope;
use shared::events::feed::{KEPT, KEPT_FOR};

use crate::cpu::children;

/// A running server, and a connection to publish on.
pub(crate) struct Nchan {
    server: Server,
    publisher: Connection,
    /// The process that does the work.
    pub(crate) worker: u32,
}

impl Nchan {
    /// Start a server that keeps what our feed keeps, with the heartbeat of our streams.
    pub(crate) async fn start(folder: &Path, connections: usize) -> Result<Self, Trouble> {
        let options =
            Options { connections, kept: KEPT, kept_for: KEPT_FOR.to_std()?, heartbeat: Duration::from_secs(15) };
        let server = Server::start(&folder.join("nginx"), options).await?;
        let worker = children(server.pid())?.pop().ok_or("nginx has no worker")?;
        let publisher = Connection::open(([127, 0, 0, 1], server.port()).into())?;
        Ok(Self { server, publisher, worker })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    /// A request for the stream of a store.
    pub(crate) fn subscribe(store_id: StoreId) -> Vec<u8> {
        format!("GET /subscribe/{store_id} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\r\n").into()
    }

    /// Publish an event. It says what ours says: the event's name, and its envelope.
    pub(crate) fn publish(&mut self, event: &Envelope) -> Result<(), Trouble> {
        let (store_id, name) = (event.store_id, event.event.event_type().routing_key());
        let body = serde_json::to_string(event)?;
        let request = format!(
            "POST /publish/{store_id} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             x-eventsource-event: {name}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        match self.publisher.exchange(request.as_bytes())?.status {
            200..300 => Ok(()),
            status => Err(format!("nchan answered {status} to an event").into()),
        }
    }

    /// Stop it.
    pub(crate) fn stop(self) -> Result<(), Trouble> {
        Ok(self.server.stop()?)
    }
}
