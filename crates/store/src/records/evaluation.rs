//! What the rules judge by.

use uuid::Uuid;

use super::Record;
use crate::error::Error;
use crate::store::Store;
use crate::types::RecordType;

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
    /// The version of the Type that the record was made with.
    pub record_type: RecordType,
}

impl Store {
    /// Everything that an evaluation of this record's newest completion needs; `None` when there
    /// is no completion.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the record; those of a read.
    pub async fn evaluation_input(&self, record: Uuid) -> Result<Option<EvaluationInput>, Error> {
        let record = self.record(record, None).await?;
        let Some(work) = &record.work else { return Ok(None) };
        let Some(completion_position) = work.completion_position else { return Ok(None) };
        let criteria_body = self.body_at(record.id, work.criteria_position).await?;
        let completion_body = self.body_at(record.id, completion_position).await?;
        let version = Some(record.type_version);
        let record_type = self.record_type(record.org_id, &record.type_name, version).await?;
        Ok(Some(EvaluationInput {
            record,
            criteria_body,
            completion_position,
            completion_body,
            record_type,
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
