//! What the rules judge by.

use uuid::Uuid;

use super::{COLUMNS, Record};
use crate::error::Error;
use crate::store::Store;

/// The newest completion of a record, and what it is measured against.
#[derive(Debug, Clone)]
pub struct EvaluationInput {
    /// The record as it is now.
    pub record: Record,
    /// Canonical JSON body of the entry that holds the criteria in force, in its member `criteria`.
    pub criteria_body: Vec<u8>,
    /// Position of the newest completion: [`crate::transition::Transition::concerning`].
    pub completion_position: i64,
    /// Canonical JSON body of its entry, the completion in its member `completion`.
    pub completion_body: Vec<u8>,
    /// Rules of the version of the Type that the record was made with, canonical JSON.
    pub rules_config: Option<String>,
}

impl Store {
    /// Everything that an evaluation of this record's newest completion needs, as of one moment;
    /// `None` when there is no completion.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the record; those of a read.
    pub async fn evaluation_input(&self, record: Uuid) -> Result<Option<EvaluationInput>, Error> {
        let row = self.db.read("evaluation_input", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS},
                        (SELECT body FROM vault_entries WHERE record_id = $1
                         AND position = coalesce(r.criteria_position, 0)) AS criteria_body,
                        (SELECT body FROM vault_entries WHERE record_id = $1
                         AND position = r.completion_position) AS completion_body,
                        (SELECT t.rules_config FROM record_types t WHERE t.org_id = r.org_id
                         AND t.name = r.type_name AND t.version = r.type_version) AS rules_config
                     FROM records r WHERE id = $1"
                );
                let statement = tx.client.prepare_cached(&sql).await?;
                Ok(tx.client.query_opt(&statement, &[&record]).await?)
            })
        });
        let row = row.await?.ok_or(Error::NotFound("record"))?;
        let record = Record::from_row(&row)?;
        let Some(completion_position) = record.work.as_ref().and_then(|w| w.completion_position)
        else {
            return Ok(None);
        };
        let body = |name: &str| {
            let found: Option<Vec<u8>> = row.get(name);
            found.ok_or_else(|| Error::Damaged(format!("record {} has no {name}", record.id)))
        };
        Ok(Some(EvaluationInput {
            criteria_body: body("criteria_body")?,
            completion_position,
            completion_body: body("completion_body")?,
            rules_config: row.get("rules_config"),
            record,
        }))
    }

    /// The body of one entry, canonical JSON.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the entry; those of a read.
    pub async fn body_at(&self, record: Uuid, position: i64) -> Result<Vec<u8>, Error> {
        let found = self.entries(record, position - 1, 1).await?;
        let entry = found.into_iter().next().filter(|entry| entry.position == position);
        entry.map(|entry| entry.body).ok_or(Error::NotFound("entry"))
    }
}
