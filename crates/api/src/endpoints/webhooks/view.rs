//! A webhook as it is shown.

use deed_store::webhooks::{Backlog, Delivery, SigningAlg, Webhook};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::{Caller, Scope};
use crate::endpoints::records::view::time;
use crate::next_steps::{NextStep, NextSteps};

/// Where receivers find the keys that sign.
const KEYS: &str = "/.well-known/deed-vault-keys.json";

/// A webhook, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookView<'a> {
    id: Uuid,
    org_id: Uuid,
    description: &'a str,
    /// Where deliveries are posted to, as it is requested and signed.
    url: &'a str,
    /// Types of events, or `*` alone.
    event_types: &'a [String],
    /// `standard` or `cloudevents`.
    format: &'static str,
    /// `hmac` or `ed25519`.
    signing_alg: &'static str,
    /// Path of the public keys, for `ed25519`.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<&'static str>,
    /// After a rotation: until when deliveries carry a signature with the old secret too.
    #[schema(format = DateTime)]
    previous_secret_until: Option<String>,
    /// `active` or `paused`.
    status: &'static str,
    /// `closed`, `open` (nothing is delivered for a while) or `half_open` (one delivery is tried).
    circuit: &'static str,
    /// When an open circuit is tried again.
    #[schema(format = DateTime)]
    probe_at: Option<String>,
    /// Failed attempts since the last success; those that were under way when the circuit opened do not
    /// count.
    consecutive_failures: u32,
    #[schema(format = DateTime)]
    last_successful_at: Option<String>,
    #[schema(format = DateTime)]
    last_failed_at: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    created_by: Uuid,
    /// Only where a single webhook is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<BacklogView>,
}

/// What is left to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookBacklog)]
struct BacklogView {
    /// Deliveries that are pending; 10,000 stands for that or more.
    pending: u64,
    /// Dead letters; 10,000 stands for that or more.
    dead: u64,
}

impl<'a> WebhookView<'a> {
    pub(super) fn of(webhook: &'a Webhook) -> Self {
        Self {
            id: webhook.id,
            org_id: webhook.org_id,
            description: &webhook.description,
            url: &webhook.url,
            event_types: &webhook.event_types,
            format: webhook.format.as_str(),
            signing_alg: webhook.signing_alg.as_str(),
            keys: (webhook.signing_alg == SigningAlg::Ed25519).then_some(KEYS),
            previous_secret_until: webhook.previous_until.map(time),
            status: if webhook.paused_at.is_some() { "paused" } else { "active" },
            circuit: webhook.health.circuit.as_str(),
            probe_at: webhook.probe_at.map(time),
            consecutive_failures: webhook.health.failures,
            last_successful_at: webhook.last_success_at.map(time),
            last_failed_at: webhook.last_failure_at.map(time),
            created_at: time(webhook.created_at),
            created_by: webhook.created_by,
            backlog: None,
        }
    }

    pub(super) fn with_backlog(self, Backlog { pending, dead }: Backlog) -> Self {
        Self { backlog: Some(BacklogView { pending, dead }), ..self }
    }
}

/// A webhook after a change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangedView<'a> {
    webhook: WebhookView<'a>,
    /// The secret, `whsec_...`: this answer is the only one that shows it. Absent for `ed25519`, and
    /// where none was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    next_steps: Vec<NextStep>,
}

impl<'a> ChangedView<'a> {
    pub(super) fn of(webhook: &'a Webhook, secret: Option<&'a str>, caller: &Caller) -> Self {
        let next_steps = next_steps(webhook, caller);
        Self { webhook: WebhookView::of(webhook), secret, next_steps }
    }
}

pub(super) fn next_steps(webhook: &Webhook, caller: &Caller) -> Vec<NextStep> {
    let (own, write) = (format!("/v1/webhooks/{}", webhook.id), Scope::WebhooksWrite);
    let steps = NextSteps::of(caller)
        .get(Scope::WebhooksRead, "read-webhook", own.clone(), "see how the endpoint is")
        .get(
            Scope::WebhooksRead,
            "list-deliveries",
            format!("{own}/deliveries"),
            "see what was delivered and what was answered",
        );
    let steps = if webhook.paused_at.is_some() {
        steps.post(write, "resume-webhook", format!("{own}/resume"), "deliver again")
    } else {
        steps.post(write, "test-webhook", format!("{own}/test"), "have a test delivered").post(
            write,
            "pause-webhook",
            format!("{own}/pause"),
            "deliver nothing for a while",
        )
    };
    steps.patch(write, "update-webhook", own, "change URL, events or format").done()
}

/// A delivery and how its last attempt went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeliveryView<'a> {
    id: Uuid,
    /// `webhook-id` of every attempt.
    event_id: Uuid,
    event_type: &'a str,
    record_id: Option<Uuid>,
    /// `pending`, `delivered` or `dead`.
    status: &'static str,
    attempts: u32,
    /// When it is attempted again; null: as soon as it is its turn, or never.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    last_attempt_at: Option<String>,
    /// HTTP status of the last answer.
    response_status: Option<u16>,
    /// The first 1,024 bytes of the last answer's body, as text.
    response_excerpt: Option<&'a str>,
    /// Why the last attempt failed.
    last_error: Option<&'a str>,
    /// How long the last attempt took, in milliseconds.
    duration_ms: Option<u32>,
}

impl<'a> DeliveryView<'a> {
    pub(super) fn of(delivery: &'a Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event_type: &delivery.event_type,
            record_id: delivery.record_id,
            status: delivery.state.as_str(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_at.map(time),
            last_attempt_at: delivery.last_at.map(time),
            response_status: delivery.last_status,
            response_excerpt: delivery.last_response.as_deref(),
            last_error: delivery.last_error.as_deref(),
            duration_ms: delivery.last_ms,
        }
    }
}
