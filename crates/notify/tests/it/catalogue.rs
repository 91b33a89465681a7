use std::collections::HashSet;

use deed_lifecycle::{Action, TABLE};
use deed_notify::{EventType, Group};

#[test]
fn every_action_of_the_lifecycle_is_told_as_the_event_that_its_entry_names() {
    for action in Action::ALL {
        assert_eq!(EventType::of(action).as_str(), action.event(), "{action:?}");
    }
    // Nothing in the table is done by an action that is not in the list.
    assert!(TABLE.iter().all(|row| Action::ALL.contains(&row.action)));
}

#[test]
fn every_record_event_is_caused_by_an_action_or_an_entrance() {
    let caused: HashSet<EventType> = Action::ALL.into_iter().map(EventType::of).collect();
    let others = [
        EventType::RecordRecorded,
        EventType::RecordCreated,
        EventType::RecordNoteAdded,
        EventType::SignalEmitted,
    ];
    for event in EventType::ALL.iter().filter(|event| event.is_about_a_record()) {
        assert!(caused.contains(event) != others.contains(event), "{event:?}");
    }
}

#[test]
fn names_are_unique_and_read_back() {
    let names: HashSet<&str> = EventType::ALL.iter().map(|event| event.as_str()).collect();
    assert_eq!(names.len(), EventType::ALL.len());
    for event in EventType::ALL {
        assert_eq!(EventType::parse(event.as_str()), Some(*event));
        let well_formed = |c: char| c.is_ascii_lowercase() || c == '.' || c == '-';
        assert!(event.as_str().chars().all(well_formed) && event.as_str().len() <= 64);
        assert!(Group::ALL.contains(&event.group()));
    }
    assert_eq!(EventType::parse("record.unheard-of"), None);
}

#[test]
fn every_schema_is_one_that_refuses() {
    for event in EventType::ALL {
        let schema = event.data_schema();
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{event:?}");
        let compiled = jsonschema::draft202012::new(&schema).unwrap();
        assert!(!compiled.is_valid(&serde_json::json!({})), "{event:?} lets anything pass");
    }
}
