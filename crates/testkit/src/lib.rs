//! What tests share: a real PostgreSQL, a fresh database for each test, and child processes.
//! Development only; everything here panics with a message instead of returning errors.
//!
//! The server comes from `DEED_TEST_DATABASE_URL` (a superuser's URL), which
//! `scripts/with-test-postgres` sets. Without it the first test that needs a server starts one that
//! all test processes of this workspace share, and that ends about a minute after the last of them.
//!
//! ```no_run
//! # async fn migrate(_url: &str) {}
//! # async fn test() {
//! use deed_testkit::{Template, TestDatabase};
//! let template = Template::prepare("store", "hash of the migrations", async |urls| {
//!     migrate(&urls.owner).await;
//! })
//! .await;
//! let database = TestDatabase::from_template(&template).await;
//! let _url = &database.urls().app;
//! # }
//! ```

mod database;
pub mod endpoint;
mod instance;
mod process;
mod server;
mod shared;
mod template;

pub use database::{TestDatabase, Urls};
pub use nix::sys::signal::Signal;
pub use process::{Process, ProcessBuilder};
pub use server::{APP_ROLE, DATABASE_URL_VARIABLE, OWNER_ROLE};
pub use template::Template;

pub use instance::with_postgres;
