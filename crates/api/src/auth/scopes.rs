//! What a key may do: scopes, and the profiles that name sets of them.

use deed_store::access::Role;

/// One permission. Every route declares the one it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Read records, their entries and trees.
    RecordsRead,
    /// Notarize, create work under a gate (also active at once), and add notes.
    RecordsWrite,
    /// Act on work under a gate: every step after its creation, verdicts and disputes among them.
    RecordsAct,
    /// Export records for offline verification.
    RecordsExport,
    /// Read Types.
    TypesRead,
    /// Register, version and disable Types.
    TypesWrite,
    /// Read the events of what may be read otherwise.
    EventsRead,
    /// Read the operational audit log.
    AuditRead,
    /// Read organisations.
    OrgsRead,
    /// Make organisations.
    OrgsWrite,
    /// Look up the agents of the organisation: their ids and names.
    AgentsLookup,
    /// Read agents.
    AgentsRead,
    /// Make agents.
    AgentsWrite,
    /// Read API keys (never their secrets).
    KeysRead,
    /// Mint, rotate and revoke API keys.
    KeysWrite,
    /// Read the queue, the schedules and the replicas.
    SystemRead,
    /// Replay dead jobs.
    JobsWrite,
    /// Read webhooks and their deliveries (never their secrets).
    WebhooksRead,
    /// Make, change, test and delete webhooks; replay deliveries.
    WebhooksWrite,
    /// Have the vault audited.
    AuditRun,
}

impl Scope {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecordsRead => "records:read",
            Self::RecordsWrite => "records:write",
            Self::RecordsAct => "records:act",
            Self::RecordsExport => "records:export",
            Self::TypesRead => "types:read",
            Self::TypesWrite => "types:write",
            Self::EventsRead => "events:read",
            Self::AuditRead => "audit:read",
            Self::OrgsRead => "orgs:read",
            Self::OrgsWrite => "orgs:write",
            Self::AgentsLookup => "agents:lookup",
            Self::AgentsRead => "agents:read",
            Self::AgentsWrite => "agents:write",
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::SystemRead => "system:read",
            Self::JobsWrite => "jobs:write",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::AuditRun => "audit:run",
        }
    }
}

/// A named set of scopes.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// Which role may carry it.
    pub role: Role,
    /// For people.
    pub description: &'static str,
    /// What it allows.
    pub scopes: &'static [Scope],
}

use Scope::{
    AgentsLookup, AgentsRead, AgentsWrite, AuditRead, AuditRun, EventsRead, JobsWrite, KeysRead,
    KeysWrite, OrgsRead, OrgsWrite, RecordsAct, RecordsExport, RecordsRead, RecordsWrite,
    SystemRead, TypesRead, TypesWrite, WebhooksRead, WebhooksWrite,
};

/// The built-in profiles; the first of each role is its default.
pub const PROFILES: [Profile; 9] = [
    Profile {
        name: "agent-full",
        role: Role::Agent,
        description: "notarize, take part in work under a gate, read and export the organisation's records",
        scopes: &[
            RecordsRead,
            RecordsWrite,
            RecordsAct,
            RecordsExport,
            TypesRead,
            AgentsLookup,
            EventsRead,
            WebhooksRead,
            WebhooksWrite,
        ],
    },
    Profile {
        name: "agent-writer",
        role: Role::Agent,
        description: "notarize and begin work; cannot read records back, judge or dispute",
        scopes: &[RecordsWrite, TypesRead, AgentsLookup],
    },
    Profile {
        name: "agent-reader",
        role: Role::Agent,
        description: "read and export records",
        scopes: &[RecordsRead, RecordsExport, TypesRead, AgentsLookup, EventsRead],
    },
    Profile {
        name: "admin-standard",
        role: Role::Admin,
        description: "everything inside one organisation",
        scopes: &[
            RecordsRead,
            RecordsWrite,
            RecordsAct,
            RecordsExport,
            TypesRead,
            TypesWrite,
            AgentsLookup,
            EventsRead,
            AgentsRead,
            AgentsWrite,
            KeysRead,
            KeysWrite,
            WebhooksRead,
            WebhooksWrite,
        ],
    },
    Profile {
        name: "admin-types",
        role: Role::Admin,
        description: "register and version Types",
        scopes: &[TypesRead, TypesWrite],
    },
    Profile {
        name: "admin-observer",
        role: Role::Admin,
        description: "read everything inside one organisation",
        scopes: &[
            RecordsRead,
            TypesRead,
            AgentsLookup,
            EventsRead,
            AgentsRead,
            KeysRead,
            WebhooksRead,
        ],
    },
    Profile {
        name: "admin-auditor",
        role: Role::Admin,
        description: "read and export records for verification",
        scopes: &[RecordsRead, RecordsExport, TypesRead, EventsRead],
    },
    Profile {
        name: "platform-standard",
        role: Role::Platform,
        description: "organisations, agents, keys and Types of the whole server; reads every record; the queue, audits, the audit log",
        scopes: &[
            RecordsRead,
            RecordsExport,
            TypesRead,
            TypesWrite,
            EventsRead,
            OrgsRead,
            OrgsWrite,
            AgentsRead,
            AgentsWrite,
            KeysRead,
            KeysWrite,
            AuditRead,
            SystemRead,
            JobsWrite,
            WebhooksRead,
            WebhooksWrite,
            AuditRun,
        ],
    },
    Profile {
        name: "platform-observer",
        role: Role::Platform,
        description: "read everything of the whole server",
        scopes: &[
            RecordsRead,
            TypesRead,
            EventsRead,
            AuditRead,
            OrgsRead,
            AgentsRead,
            KeysRead,
            SystemRead,
            WebhooksRead,
        ],
    },
];

/// The profile of that name.
#[must_use]
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

/// The profile that a key of this role has when none is asked for.
#[must_use]
pub fn default_profile(role: Role) -> &'static Profile {
    match role {
        Role::Agent => &PROFILES[0],
        Role::Admin => &PROFILES[3],
        Role::Platform => &PROFILES[7],
    }
}
