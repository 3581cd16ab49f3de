//! Server-sent events in the description: a schema for each event's data, and each frame as it goes over the wire.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::samples::sample;
use crate::domain::event::{Envelope, Event, EventType};
use crate::error::Result;
use crate::events::feed::{Position, frame};

/// What the group of streams is about. ReDoc shows the schemas named here; Swagger UI shows them with all others.
pub(super) const DESCRIPTION: &str = include_str!("streams.md");

/// Add a schema for the data of each kind of event, named after it: `OrderCreatedEvent`.
pub(super) fn add_schemas(schemas: &mut Map<String, Value>) -> Result<()> {
    let mut used = Vec::new();
    Envelope::schemas(&mut used);
    for (name, schema) in used {
        // The event itself is told apart by its type, below.
        if name != "Event" && !schemas.contains_key(&name) {
            schemas.insert(name, serde_json::to_value(schema)?);
        }
    }
    let envelope = serde_json::to_value(Envelope::schema())?;
    let parts = envelope["allOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let envelope = parts.iter().find(|part| part["properties"]["event_id"].is_object());
    let events = serde_json::to_value(Event::schema())?;
    let events = events["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (event_type, event) in EventType::ALL.iter().zip(events) {
        let about = format!("The data of a frame `event: {}`.", event_type.routing_key());
        schemas.insert(schema_name(*event_type), json!({"allOf": [envelope, event], "description": about}));
    }
    Ok(())
}

/// Describe the body of a stream.
pub(super) fn describe(content: &mut Value, schemas: &Map<String, Value>) -> Result<()> {
    let (mut data, mut frames) = (Map::new(), Map::new());
    let mut show = |name: &str, about: &str, frame: String| {
        frames.insert(name.to_owned(), json!({"summary": name, "description": about, "value": frame}));
    };
    let mut position = Position { epoch: "b96ef9e518010466b8bb6f1cdd025d64".into(), sequence: 41 };
    let ready = format!("retry: 3000\nid: {position}\nevent: ready\ndata: {{}}\n\n");
    show("ready", "The stream is open, and goes on from this position.", ready);
    for event_type in EventType::ALL {
        position.sequence += 1;
        let schema = json!({"$ref": format!("#/components/schemas/{}", schema_name(*event_type))});
        let frame = frame(&position, *event_type, &serde_json::to_string(&sample(&schema, schemas))?);
        show(event_type.routing_key(), event_type.description(), frame);
        data.insert(event_type.routing_key().to_owned(), schema);
    }
    let resync = format!("id: {position}\nevent: resync\ndata: {{}}\n\n");
    show("resync", "What was missed is lost: load everything again. The stream goes on from this position.", resync);
    show(
        "token_expired",
        "The token's time is over. The stream ends.",
        "event: token_expired\ndata: {}\n\n".to_owned(),
    );
    show("keep-alive", "A comment after 15 silent seconds.", ": keep-alive\n\n".to_owned());
    // Of no type: OpenAPI 3.1 has no word for a text whose parts have schemas, and tools differ on what a type would mean.
    content["schema"] = json!({"description": "Frames without end, as in the examples."});
    content["examples"] = frames.into();
    content["x-event-schemas"] = data.into();
    Ok(())
}

fn schema_name(event_type: EventType) -> String {
    format!("{}Event", event_type.name())
}
