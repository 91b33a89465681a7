//! Pages: a limit and an opaque cursor.

use deed_chain::base64url;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::problem::Problem;

/// Items of a page when none are asked for.
const DEFAULT_LIMIT: usize = 50;
/// Most items of a page.
const MOST: usize = 200;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Items of the page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    pub(crate) fn new(limit: Option<usize>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
            Some(limit) => Err(Problem::bad_request(
                "limit-invalid",
                format!("limit is {limit}"),
                "Ask for 1 to 200 items a page.",
            )),
        }
    }

    /// The text in the cursor: what the page before ended with.
    pub(crate) fn after_text(&self) -> Result<Option<String>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let text = base64url::decode(cursor).and_then(|bytes| String::from_utf8(bytes).ok());
        // PostgreSQL cannot hold U+0000, so no cursor ends with it.
        text.filter(|text| !text.contains('\0')).map(Some).ok_or_else(invalid_cursor)
    }

    /// The id in the cursor.
    pub(crate) fn before(&self) -> Result<Option<Uuid>, Problem> {
        let text = self.after_text()?;
        text.map(|text| text.parse().map_err(|_| invalid_cursor())).transpose()
    }
}

pub(crate) fn invalid_cursor() -> Problem {
    Problem::bad_request(
        "cursor-invalid",
        "the cursor is not one that this server gave",
        "Pass nextCursor of the page before unchanged, or leave it out for the first page.",
    )
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageView<T> {
    items: Vec<T>,
    /// Pass it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

impl<T> PageView<T> {
    pub(crate) fn new(items: Vec<T>, next: Option<impl ToString>) -> Self {
        let next_cursor = next.map(|next| base64url::encode(next.to_string()));
        Self { items, next_cursor }
    }
}
