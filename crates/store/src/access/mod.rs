//! Who may come in: organisations, agents and API keys.

mod api_keys;
mod orgs;

pub use api_keys::{ApiKey, NewApiKey, Role, confirm, mint, revoke, rotate};
pub use orgs::{Agent, Org, create_agent, create_org};
