//! Every event there is.

use deed_lifecycle::Action;
use serde_json::Value;

use crate::schema;

/// What an event is about. It may be read by whoever may read that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Records and their lifecycle.
    Records,
    /// Disputes about records.
    Disputes,
    /// Settlement signals.
    Signals,
    /// Types.
    Types,
    /// Organisations.
    Orgs,
    /// Agents.
    Agents,
    /// API keys.
    ApiKeys,
    /// Webhooks.
    Webhooks,
    /// The server itself.
    System,
}

impl Group {
    /// Every group, in the order of the document.
    pub const ALL: [Self; 9] = [
        Self::Records,
        Self::Disputes,
        Self::Signals,
        Self::Types,
        Self::Orgs,
        Self::Agents,
        Self::ApiKeys,
        Self::Webhooks,
        Self::System,
    ];

    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Records => "Records",
            Self::Disputes => "Disputes",
            Self::Signals => "Settlement signals",
            Self::Types => "Types",
            Self::Orgs => "Organisations",
            Self::Agents => "Agents",
            Self::ApiKeys => "API keys",
            Self::Webhooks => "Webhooks",
            Self::System => "The server",
        }
    }
}

macro_rules! catalogue {
    ($($variant:ident, $name:literal, $group:ident, $schema:ident, $meaning:literal;)+) => {
        /// A type of event. The name on the wire and in the database is [`EventType::as_str`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventType {
            $(#[doc = $meaning] $variant,)+
        }

        impl EventType {
            /// Every type, by group.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name: levels from the general to the special, separated by full stops.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it is about.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group,)+ }
            }

            /// What has happened, for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// Name of the schema of its `data`: types whose data have one form share it.
            #[must_use]
            pub const fn data_name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($schema),)+ }
            }

            /// JSON Schema (draft 2020-12) of its `data`. Members may be added to it later.
            #[must_use]
            pub fn data_schema(self) -> Value {
                match self { $(Self::$variant => schema::$schema(),)+ }
            }
        }
    };
}

catalogue! {
    RecordRecorded, "record.recorded", Records, created, "A record was notarized";
    RecordCreated, "record.created", Records, created, "Work under a gate was created";
    RecordNoteAdded, "record.note-added", Records, noted, "A note was appended to a record";
    RecordAmended, "record.amended", Records, transition, "Criteria, deadline or limits of a draft were replaced";
    RecordProposed, "record.proposed", Records, transition, "The work was offered to the performer";
    RecordAccepted, "record.accepted", Records, transition, "The performer agreed to do the work";
    RecordRefused, "record.refused", Records, transition, "The performer refused to do the work";
    RecordActivated, "record.activated", Records, transition, "The criteria were locked and the work began";
    RecordCompleted, "record.completed", Records, transition, "The work was handed in";
    RecordEvaluated, "record.evaluated", Records, transition, "The rules judged a completion, or could not";
    RecordVerdict, "record.verdict", Records, transition, "The principal accepted or rejected the work";
    RecordRevisionRequested, "record.revision-requested", Records, transition, "The principal asked for a revised completion";
    RecordCancelled, "record.cancelled", Records, transition, "The work was called off";
    RecordExpired, "record.expired", Records, transition, "The deadline passed before a completion was there";
    RecordDisputed, "record.disputed", Disputes, transition, "The performer contests a failure";
    RecordReevaluated, "record.reevaluated", Disputes, transition, "The rules judged a disputed completion again";
    RecordEscalated, "record.escalated", Disputes, transition, "A dispute was handed to a third party or to a human";
    RecordDisputeWithdrawn, "record.dispute-withdrawn", Disputes, transition, "A dispute was dropped; the failure stands";
    RecordResolved, "record.resolved", Disputes, transition, "A dispute was decided";
    SignalEmitted, "signal.emitted", Signals, signal, "A verdict tells whoever settles what to do";
    TypeRegistered, "type.registered", Types, type_registered, "A version of a Type was registered";
    TypeDisabled, "type.disabled", Types, type_disabled, "A Type takes no new records any more";
    OrgCreated, "org.created", Orgs, org, "An organisation was made";
    AgentCreated, "agent.created", Agents, agent, "An agent was made";
    ApiKeyMinted, "api-key.minted", ApiKeys, api_key, "An API key was minted";
    ApiKeyRotated, "api-key.rotated", ApiKeys, api_key_rotated, "An API key was replaced by a new one";
    ApiKeyRevoked, "api-key.revoked", ApiKeys, api_key_revoked, "An API key was ended";
    WebhookCreated, "webhook.created", Webhooks, webhook, "A webhook was made";
    WebhookChanged, "webhook.changed", Webhooks, webhook_changed, "URL, event types, format or description of a webhook were replaced";
    WebhookDeleted, "webhook.deleted", Webhooks, webhook_only, "A webhook was ended";
    WebhookPaused, "webhook.paused", Webhooks, webhook_only, "Nothing is delivered to a webhook until it is resumed";
    WebhookResumed, "webhook.resumed", Webhooks, webhook_only, "A webhook is delivered to again, with a closed circuit";
    WebhookSecretRotated, "webhook.secret-rotated", Webhooks, webhook_rotated, "The secret of a webhook was replaced";
    WebhookReplayed, "webhook.replayed", Webhooks, webhook_replayed, "Settled deliveries of a webhook were put back";
    WebhookTestRequested, "webhook.test-requested", Webhooks, webhook_test_requested, "Somebody asked for a test delivery";
    WebhookCircuitOpened, "webhook.circuit-opened", Webhooks, webhook_circuit, "An endpoint failed too often in a row and is left alone for a while";
    WebhookCircuitClosed, "webhook.circuit-closed", Webhooks, webhook_only, "An endpoint that was left alone took a delivery";
    WebhookTest, "webhook.test", Webhooks, webhook_test, "A test delivery: it is posted to the tested webhook and lies in no stream";
    JobReplayed, "job.replayed", System, job, "A dead job was put back into the queue";
    AuditRequested, "audit.requested", System, audit, "Somebody asked for an audit";
}

impl EventType {
    /// The type of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == name)
    }

    /// What an action on a record is told as.
    #[must_use]
    pub const fn of(action: Action) -> Self {
        match action {
            Action::Amend => Self::RecordAmended,
            Action::Propose => Self::RecordProposed,
            Action::Accept => Self::RecordAccepted,
            Action::Refuse => Self::RecordRefused,
            Action::Activate => Self::RecordActivated,
            Action::Complete => Self::RecordCompleted,
            Action::EvaluationPassed | Action::EvaluationFailed | Action::EvaluationUndecided => {
                Self::RecordEvaluated
            }
            Action::VerdictAccept | Action::VerdictReject => Self::RecordVerdict,
            Action::RequestRevision => Self::RecordRevisionRequested,
            Action::Cancel => Self::RecordCancelled,
            Action::Expire => Self::RecordExpired,
            Action::Dispute => Self::RecordDisputed,
            Action::ReevaluationPassed | Action::ReevaluationFailed => Self::RecordReevaluated,
            Action::EscalateToReview | Action::EscalateToHuman => Self::RecordEscalated,
            Action::WithdrawDispute => Self::RecordDisputeWithdrawn,
            Action::ResolveOverturn | Action::ResolveUphold | Action::ResolveRemediate => {
                Self::RecordResolved
            }
        }
    }

    /// JSON Schema (draft 2020-12) of the whole event in its plain form, `data` being one of `data`.
    #[must_use]
    pub fn schema(self, data: Value) -> Value {
        schema::envelope(self.as_str(), self.is_about_a_record(), data)
    }

    /// Whether its `data` is read from the record and its entry; of the others it lies beside the
    /// event.
    #[must_use]
    pub const fn is_about_a_record(self) -> bool {
        matches!(self.group(), Group::Records | Group::Disputes | Group::Signals)
    }
}
