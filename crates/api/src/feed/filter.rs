//! Which events a caller may read and wants.

use deed_notify::{EventType, Group};
use uuid::Uuid;

use crate::auth::{Caller, Scope};
use crate::problem::Problem;

/// An organisation's events of some types.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// `None` for the platform, which sees all.
    org: Option<Uuid>,
    types: Vec<EventType>,
}

impl Filter {
    /// Events are about things; who may read those may read the events. `wanted` are names of types,
    /// separated by commas.
    pub(crate) fn of(
        caller: &Caller,
        org: Option<Uuid>,
        wanted: Option<&str>,
    ) -> Result<Self, Problem> {
        let named = match wanted {
            None => EventType::ALL.to_vec(),
            Some(names) => names.split(',').map(parse).collect::<Result<_, _>>()?,
        };
        let types = named.into_iter().filter(|event| caller.may(scope_of(event.group()))).collect();
        Ok(Self { org: caller.narrowed(org)?, types })
    }

    /// A type that only a newer version of the server knows is shown by those servers alone.
    pub(crate) fn lets_pass(&self, org: Option<Uuid>, kind: &str) -> bool {
        (self.org.is_none() || org == self.org)
            && EventType::parse(kind).is_some_and(|event| self.types.contains(&event))
    }
}

fn parse(name: &str) -> Result<EventType, Problem> {
    EventType::parse(name.trim()).ok_or_else(|| {
        let known: Vec<&str> = EventType::ALL.iter().map(|event| event.as_str()).collect();
        Problem::bad_request(
            "event-type-unknown",
            format!("there is no event type {name:?}"),
            &format!("Use some of: {}.", known.join(", ")),
        )
    })
}

fn scope_of(group: Group) -> Scope {
    match group {
        Group::Records | Group::Disputes | Group::Signals => Scope::RecordsRead,
        Group::Types => Scope::TypesRead,
        Group::Orgs => Scope::OrgsRead,
        Group::Agents => Scope::AgentsRead,
        Group::ApiKeys => Scope::KeysRead,
        Group::Webhooks => Scope::WebhooksRead,
        Group::System => Scope::SystemRead,
    }
}
