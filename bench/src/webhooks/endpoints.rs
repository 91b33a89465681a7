//! Two HTTPS endpoints on loopback, and their webhooks.

use anyhow::{Context, Result};
use deed_testkit::endpoint::{Endpoint, ca_pem};
use uuid::Uuid;

use crate::stack::Stack;

/// Webhooks as the API makes them; signed with the server's key, so that there is no secret to seal.
const WEBHOOK: &str = "
INSERT INTO webhooks (id, org_id, created_by, description, url, event_types, format, signing_alg,
    created_at)
SELECT $1, org_id, id, '', $2, '{record.recorded}', 'standard', 'ed25519', now() FROM api_keys
WHERE agent_id IS NOT NULL LIMIT 1";

pub(super) struct Endpoints {
    /// Takes everything.
    pub(super) healthy: Endpoint,
    hanging: Uuid,
    _hanging: Endpoint,
    /// What lets a worker deliver to them.
    pub(super) variables: Vec<(&'static str, String)>,
}

impl Endpoints {
    /// Starts both; the one that hangs has its backlog and is paused.
    pub(super) async fn start(stack: &Stack, backlog: i64) -> Result<Self> {
        let (healthy, hangs) = (Endpoint::start().await, Endpoint::start().await);
        hangs.answers(|_| std::future::pending());
        let (id, hanging) = (Uuid::now_v7(), Uuid::now_v7());
        let sql = stack.sql();
        for (id, endpoint) in [(id, &healthy), (hanging, &hangs)] {
            sql.execute(WEBHOOK, &[&id, &endpoint.url()]).await?;
            let state = "INSERT INTO webhook_endpoints (webhook_id) VALUES ($1)";
            sql.execute(state, &[&id]).await?;
        }
        let fill = "INSERT INTO webhook_deliveries
                (id, webhook_id, seq, event_id, event_type, record_id, body)
            SELECT uuidv7(), $1, -n, gen_random_uuid(), 'record.recorded', gen_random_uuid(),
                convert_to(repeat('x', 700), 'UTF8') FROM generate_series(1, $2::int8) n";
        sql.execute(fill, &[&hanging, &backlog]).await.context("filling the backlog")?;
        // Only the backlog: what is notarized here goes to the healthy one.
        let deaf = "UPDATE webhooks SET event_types = '{record.cancelled}' WHERE id = $1";
        sql.execute(deaf, &[&hanging]).await?;
        sql.batch_execute("VACUUM ANALYZE webhook_deliveries").await?;
        let authority = stack.scratch().join("endpoints.pem");
        std::fs::write(&authority, ca_pem())?;
        let variables = vec![
            ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.1/32".to_owned()),
            ("WEBHOOK_CA_FILE", authority.to_string_lossy().into_owned()),
        ];
        Ok(Self { healthy, hanging, _hanging: hangs, variables })
    }

    /// Whether deliveries to the hanging one are tried: all the time, as if its circuit never opened.
    pub(super) async fn hang(&self, stack: &Stack, on: bool) -> Result<()> {
        let sql = if on {
            "UPDATE webhook_endpoints SET paused_at = NULL, circuit = 'closed', failures = 0,
                due_at = CASE WHEN leased THEN due_at ELSE now() END WHERE webhook_id = $1"
        } else {
            "UPDATE webhook_endpoints SET paused_at = now(),
                due_at = CASE WHEN leased THEN due_at END WHERE webhook_id = $1"
        };
        stack.sql().execute(sql, &[&self.hanging]).await?;
        Ok(())
    }

    /// Lets the hanging one be tried again at once when its circuit has opened.
    pub(super) async fn keep_hanging(&self, stack: &Stack) -> Result<()> {
        let sql = "UPDATE webhook_endpoints SET circuit = 'closed', failures = 0, due_at = now()
            WHERE webhook_id = $1 AND NOT leased AND paused_at IS NULL";
        stack.sql().execute(sql, &[&self.hanging]).await?;
        Ok(())
    }

    /// Attempts, and deliveries that are pending.
    pub(super) async fn of_the_hanging_one(&self, stack: &Stack) -> Result<(i64, i64)> {
        let sql =
            "SELECT coalesce(sum(attempts), 0)::int8, count(*) FILTER (WHERE state = 'pending')
            FROM webhook_deliveries WHERE webhook_id = $1";
        let row = stack.sql().query_one(sql, &[&self.hanging]).await?;
        Ok((row.get(0), row.get(1)))
    }
}
