//! From a request to a signed record that waits for its INSERT.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deed_chain::base64url;
use deed_chain::entry::{Claims, Link};
use deed_chain::hash::sha256;
use deed_store::append::NewRecord;
use deed_store::random;
use deed_store::records::{MOST_DEPTH, Record};
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::first_body::{self, FirstBody, Parts};
use super::gated::{Beginning, Wish, begin};
use super::steps;
use super::view::{EntryView, RecordView, WrittenView};
use crate::auth::Caller;
use crate::body::{misshapen, shaped};
use crate::cache::LoadedType;
use crate::problem::{Problem, Violation};
use crate::state::App;

/// Most join keys of a record.
const MOST_REFERENCES: usize = 16;
/// Longest join key, in characters.
const LONGEST_KEY: usize = 64;
/// Longest value of a join key, and longest `requestedBy`, in characters.
const LONGEST_VALUE: usize = 256;

/// What is to be notarized.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateRecord {
    /// Name of the Type.
    #[serde(rename = "type")]
    #[schema(example = "notarize-generic-v1")]
    pub type_name: String,
    /// Version of the Type; the newest when absent.
    #[serde(default)]
    pub type_version: Option<i32>,
    /// What was done or is about to be done; valid by the Type's schema.
    #[serde(default)]
    #[schema(value_type = Object, required = true)]
    pub criteria: Map<String, Value>,
    /// Join keys: up to 16, searchable, part of what is signed.
    #[serde(default)]
    pub references: BTreeMap<String, String>,
    /// Agent that answers for it; the caller's own when absent.
    #[serde(default)]
    pub principal_agent_id: Option<Uuid>,
    /// Who asked for it, in your words; up to 256 characters.
    #[serde(default)]
    pub requested_by: Option<String>,
    /// Record of the same organisation that delegates this one.
    #[serde(default)]
    pub parent_record_id: Option<Uuid>,
    /// Under a gate: lock the criteria and start the work in the same call.
    #[serde(default)]
    pub auto_activate: bool,
    /// Under a gate: agent that does the work; the caller's own when absent.
    #[serde(default)]
    pub performer_agent_id: Option<Uuid>,
    /// Under a gate: when the work must be handed in (RFC 3339), at most the parent's.
    #[serde(default)]
    pub deadline: Option<DateTime<Utc>>,
    /// Under a gate: up to 16 numbers by name, at most the parent's, which are inherited.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({ "amount": 100 }))]
    pub limits: Option<BTreeMap<String, Number>>,
}

impl CreateRecord {
    /// Takes the criteria out as they are: deserializing them would build them a second time.
    pub(crate) fn from_json(mut request: Value) -> Result<Self, Problem> {
        let criteria = request.as_object_mut().and_then(|members| members.remove("criteria"));
        let mut shaped: Self = shaped(request)?;
        shaped.criteria = match criteria {
            Some(Value::Object(criteria)) => criteria,
            Some(_) => return Err(misshapen("criteria is not an object")),
            None => return Err(misshapen("missing field `criteria`")),
        };
        Ok(shaped)
    }
}

/// A signed record that waits for its INSERT, and where the answer finds its parts in the body.
pub(crate) struct Prepared {
    pub(crate) new: NewRecord,
    pub(crate) parts: Parts,
    pub(crate) loaded: Arc<LoadedType>,
}

impl Prepared {
    /// The body as a value.
    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(&self.new.body).unwrap_or_default()
    }

    /// The answer, with the next steps of `caller` if it is given; `body` is [`Prepared::body`].
    pub(crate) fn view<'a>(&'a self, caller: Option<&Caller>, body: &'a Value) -> WrittenView<'a> {
        let record = &self.new.record;
        WrittenView {
            record: RecordView::full(record, body),
            entry: EntryView {
                position: 0,
                hash: record.head_hash,
                previous: self.new.previous,
                signed_statement: base64url::encode(&self.new.entry),
                body,
            },
            next_steps: caller
                .map(|caller| steps::all(caller, record, &self.loaded, record.created_at)),
        }
    }
}

/// Validates, canonicalises and signs. Touches the database only for a Type that is not in
/// memory, for a parent, and for a principal other than the caller.
pub(crate) async fn prepare(
    app: &App,
    caller: &Caller,
    request: CreateRecord,
    now: DateTime<Utc>,
) -> Result<Prepared, Problem> {
    let org = caller.org_for(None)?;
    check_texts(&request)?;
    let loaded = match request.type_version {
        None => app.types().newest(app.store(), org, &request.type_name).await?,
        Some(version) => app.types().version(app.store(), org, &request.type_name, version).await?,
    };
    check_type(&loaded)?;
    let criteria = Value::Object(request.criteria);
    check_criteria(&loaded, &criteria)?;
    let principal = principal(app, caller, org, request.principal_agent_id).await?;
    let parent = match request.parent_record_id {
        Some(id) => Some(parent(app, id, org).await?),
        None => None,
    };
    let wish = Wish {
        auto_activate: request.auto_activate,
        performer_agent_id: request.performer_agent_id,
        deadline: request.deadline,
        limits: request.limits,
    };
    let context = (&*loaded, principal, parent.as_ref());
    let Beginning { status, bounds, work } = begin(app, caller, wish, context, now).await?;
    let id = random::uuid_v7(now);
    let record = Record {
        id,
        org_id: org,
        type_name: loaded.definition.name.clone(),
        type_version: loaded.definition.version,
        status,
        principal_agent_id: principal,
        requested_by: request.requested_by,
        created_by: caller.key.id,
        parent_id: parent.as_ref().map(|p| p.id),
        root_id: parent.as_ref().map_or(id, |p| p.root_id),
        depth: parent.as_ref().map_or(0, |p| p.depth + 1),
        created_at: now,
        head_position: 0,
        head_hash: app.store().installation().genesis_hash,
        limits: bounds.limits(),
        deadline: bounds.deadline,
        work,
    };
    let first = FirstBody { record: &record, loaded: &loaded, parent: parent.as_ref() };
    let (body, parts) = first.write(&criteria, &request.references);
    Ok(Prepared { new: sign(app, record, body, request.references), parts, loaded })
}

fn sign(
    app: &App,
    mut record: Record,
    body: Vec<u8>,
    references: BTreeMap<String, String>,
) -> NewRecord {
    let installation = app.store().installation();
    let claims = Claims {
        issuer: installation.issuer.clone(),
        subject: record.id,
        issued_at: record.created_at.timestamp(),
        link: Some(Link { position: 0, previous: installation.genesis_hash, epoch: 0 }),
    };
    let entry = app.store().signer().sign(&claims, &sha256(&body));
    record.head_hash = entry.hash();
    NewRecord {
        event: first_body::event(&record),
        record,
        references: references.into_iter().collect(),
        previous: installation.genesis_hash,
        entry: entry.into_bytes(),
        body,
    }
}

fn check_type(loaded: &LoadedType) -> Result<(), Problem> {
    let definition = &loaded.definition;
    if definition.disabled_at.is_some() {
        return Err(Problem::unprocessable(
            "type-disabled",
            format!("the Type {} takes no new records", definition.name),
            "Use another Type, or have an administrator register a new one.",
        ));
    }
    Ok(())
}

pub(super) fn check_criteria(loaded: &LoadedType, criteria: &Value) -> Result<(), Problem> {
    loaded.criteria.validate(criteria).map_err(|violations| {
        let errors = violations.into_iter().map(|v| Violation {
            path: format!("/criteria{}", v.path),
            expected: v.expected,
            found: v.found,
            message: v.message,
        });
        let definition = &loaded.definition;
        Problem::unprocessable(
            "validation-failed",
            format!(
                "the criteria are not valid for {} version {}",
                definition.name, definition.version
            ),
            "Change what `errors` lists; GET /v1/types/{name} gives the schema and an example.",
        )
        .violations(errors.collect())
    })
}

fn check_texts(request: &CreateRecord) -> Result<(), Problem> {
    let too_long = |what: &str| {
        Problem::unprocessable(
            "request-invalid",
            format!("{what} is longer than {LONGEST_VALUE} characters or empty"),
            "Shorten it; put long text into the criteria.",
        )
    };
    let fits = |text: &str| !text.is_empty() && text.chars().count() <= LONGEST_VALUE;
    if request.requested_by.as_deref().is_some_and(|text| !fits(text)) {
        return Err(too_long("requestedBy"));
    }
    if request.references.len() > MOST_REFERENCES {
        return Err(Problem::unprocessable(
            "request-invalid",
            format!("a record has at most {MOST_REFERENCES} references"),
            "Send the join keys that you will search by.",
        ));
    }
    for (key, value) in &request.references {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
        if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(plain) {
            return Err(Problem::unprocessable(
                "request-invalid",
                format!("a reference's key has 1 to {LONGEST_KEY} letters, digits and . _ : / -"),
                "Rename the key, for example to traceId.",
            ));
        }
        if !fits(value) {
            return Err(too_long("a reference's value"));
        }
    }
    Ok(())
}

async fn principal(
    app: &App,
    caller: &Caller,
    org: Uuid,
    named: Option<Uuid>,
) -> Result<Option<Uuid>, Problem> {
    let Some(agent) = named.filter(|named| caller.key.agent_id != Some(*named)) else {
        return Ok(caller.key.agent_id);
    };
    if app.store().is_agent_of(agent, org).await? {
        Ok(Some(agent))
    } else {
        Err(Problem::unprocessable(
            "principal-unknown",
            "principalAgentId is no agent of this organisation",
            "Use the id of an agent of the organisation; GET /v1/admin/agents lists them.",
        ))
    }
}

async fn parent(app: &App, id: Uuid, org: Uuid) -> Result<Record, Problem> {
    let parent = app.store().record(id, Some(org)).await.map_err(|e| match e {
        deed_store::Error::NotFound(_) => Problem::unprocessable(
            "parent-unknown",
            "parentRecordId is no record of this organisation",
            "Use the id of a record that you can read.",
        ),
        other => other.into(),
    })?;
    if parent.depth >= MOST_DEPTH {
        return Err(Problem::unprocessable(
            "delegation-too-deep",
            format!("a delegation tree has at most {MOST_DEPTH} levels below its root"),
            "Delegate from a record nearer to the root.",
        ));
    }
    Ok(parent)
}
