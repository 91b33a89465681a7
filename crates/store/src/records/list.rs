//! Listing and searching, newest first, page by page.

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{COLUMNS, Record, Status};
use crate::error::Error;
use crate::store::Store;

/// What a list is narrowed to. All conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Organisation; `None` only for the platform, and beside an accessor.
    pub org: Option<Uuid>,
    /// Third party of its dispute, which may read it whatever its organisation is.
    pub accessor_agent_id: Option<Uuid>,
    /// Name of the Type.
    pub type_name: Option<String>,
    /// State.
    pub status: Option<Status>,
    /// Agent that answers for it.
    pub principal_agent_id: Option<Uuid>,
    /// Agent that does the work.
    pub performer_agent_id: Option<Uuid>,
    /// Delegating record.
    pub parent_id: Option<Uuid>,
    /// A join key and its value.
    pub reference: Option<(String, String)>,
    /// Made at or after this time.
    pub from: Option<DateTime<Utc>>,
    /// Made before this time.
    pub to: Option<DateTime<Utc>>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Uuid>,
}

impl<T> Page<T> {
    /// Cuts the one row too many, which tells that there is another page.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> Uuid) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(id) } else { None };
        Self { items, next }
    }
}

/// The 48 bits of milliseconds in a UUIDv7 end in the year 10889.
const LAST_MILLISECOND: i64 = (1 << 48) - 1;

/// The nearest time that an id can hold: as a bound it means the same.
fn within_ids(at: DateTime<Utc>) -> DateTime<Utc> {
    let millis = at.timestamp_millis().clamp(0, LAST_MILLISECOND);
    DateTime::from_timestamp_millis(millis).unwrap_or(at)
}

/// Conditions with their parameters, joined by AND.
#[derive(Default)]
struct Conditions {
    sql: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    fn add<T: ToSql + Sync + Send + 'static>(&mut self, condition: &str, value: Option<T>) {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            self.sql.push(condition.replace('?', &format!("${}", self.values.len())));
        }
    }

    /// Ids are ordered by time, so a time is a bound of the primary key.
    fn of(filter: Filter, before: Option<Uuid>) -> Self {
        let mut all = Self::default();
        all.add("org_id = ?", filter.org);
        all.add("accessor_agent_id = ?", filter.accessor_agent_id);
        all.add("type_name = ?", filter.type_name);
        all.add("status = ?", filter.status.map(|s| s.as_str()));
        all.add("principal_agent_id = ?", filter.principal_agent_id);
        all.add("performer_agent_id = ?", filter.performer_agent_id);
        all.add("parent_id = ?", filter.parent_id);
        all.add("id >= uuid_floor(?)", filter.from.map(within_ids));
        all.add("id < uuid_floor(?)", filter.to.map(within_ids));
        all.add("id < ?", before);
        if let Some((key, value)) = filter.reference {
            all.values.push(Box::new(key));
            all.values.push(Box::new(value));
            let (k, v) = (all.values.len() - 1, all.values.len());
            all.sql.push(format!(
                "EXISTS (SELECT FROM record_references f WHERE f.org_id = records.org_id
                 AND f.key = ${k} AND f.value = ${v} AND f.record_id = records.id)"
            ));
        }
        all
    }
}

impl Store {
    /// One page of records, newest first, that lie before `before`.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn records(
        &self,
        filter: Filter,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<Record>, Error> {
        let conditions = Conditions::of(filter, before);
        let clause = if conditions.sql.is_empty() {
            "true".to_owned()
        } else {
            conditions.sql.join(" AND ")
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM records WHERE {clause} ORDER BY id DESC LIMIT {}",
            limit + 1
        );
        let rows = self.db.read("records", move |tx| {
            Box::pin(async move {
                let values: Vec<&(dyn ToSql + Sync)> =
                    conditions.values.iter().map(|v| &**v as &(dyn ToSql + Sync)).collect();
                Ok(tx.client.query(&sql, &values).await?)
            })
        });
        let records = rows.await?.iter().map(Record::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(records, limit, |record| record.id))
    }
}
