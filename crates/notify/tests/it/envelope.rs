use std::collections::HashSet;

use chrono::DateTime;
use deed_notify::{Event, event_id};
use serde_json::json;
use uuid::Uuid;

fn event() -> Event {
    Event {
        id: event_id(&[7; 32], 1),
        kind: "record.recorded".to_owned(),
        timestamp: DateTime::from_timestamp_millis(1_768_478_400_123).unwrap(),
        org_id: Some(Uuid::nil()),
        record_id: Some(Uuid::max()),
        position: Some(0),
        data: json!({ "type": "t" }),
    }
}

#[test]
fn a_plain_event_has_what_standard_webhooks_wants() {
    assert_eq!(
        event().plain(),
        json!({
            "id": event().id,
            "type": "record.recorded",
            "timestamp": "2026-01-15T12:00:00.123Z",
            "orgId": "00000000-0000-0000-0000-000000000000",
            "recordId": "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "position": 0,
            "data": { "type": "t" },
        })
    );
    let of_the_server = Event { org_id: None, record_id: None, position: None, ..event() };
    let plain = of_the_server.plain();
    assert!(["orgId", "recordId", "position"].iter().all(|name| plain.get(name).is_none()));
}

#[test]
fn a_cloud_event_has_the_required_attributes_and_well_formed_names() {
    let told = event().cloud_event("https://deed.test");
    for name in ["specversion", "id", "source", "type"] {
        assert!(told[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    assert_eq!(told["specversion"], "1.0");
    assert_eq!(told["subject"], "ffffffff-ffff-ffff-ffff-ffffffffffff");
    assert_eq!((&told["time"], &told["data"]), (&event().plain()["timestamp"], &event().data));
    for name in told.as_object().unwrap().keys() {
        let well_formed = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        assert!(well_formed && name.len() <= 20, "{name}");
    }
}

#[test]
fn ids_are_stable_unique_and_of_no_use_without_the_key() {
    let ids: HashSet<Uuid> = (0..10_000).map(|seq| event_id(&[7; 32], seq)).collect();
    assert_eq!(ids.len(), 10_000);
    assert!(ids.iter().all(|id| id.get_version_num() == 8));
    assert_eq!(event_id(&[7; 32], 42), event_id(&[7; 32], 42));
    assert!(!ids.contains(&event_id(&[8; 32], 42)));
    assert_eq!(event_id(&[7; 32], 42).to_string(), "9a623838-67b6-87ed-916a-feb2c6ef8a52");
}
