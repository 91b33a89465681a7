//! Plans that are made while a table is empty, and used when it is not.

use crate::support::{connect, database};

const KEYS: &str = "
SELECT c.conrelid::regclass::text, i.relname::text,
    string_agg(format('%I = $%s', a.attname, k.nth), ' AND ' ORDER BY k.nth)
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class i ON i.oid = c.conindid
CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, nth)
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
WHERE c.contype = 'p' AND t.relkind = 'r' AND c.connamespace = 'public'::regnamespace
GROUP BY 1, 2 ORDER BY 1";

#[tokio::test]
async fn a_row_of_an_empty_table_is_looked_for_through_the_primary_key() {
    let database = database().await;
    let client = connect(&database.urls().superuser).await;
    client.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await.unwrap();
    let keys = client.query(KEYS, &[]).await.unwrap();
    assert!(keys.len() > 60, "partitions are among them");
    for key in keys {
        let (table, index, condition): (String, String, String) =
            (key.get(0), key.get(1), key.get(2));
        let sql = format!("EXPLAIN (GENERIC_PLAN) SELECT * FROM {table} WHERE {condition}");
        let messages = client.simple_query(&sql).await.unwrap();
        let plan: Vec<&str> = messages
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            })
            .collect();
        assert!(plan[0].contains(&format!("using {index} ")), "{table}: {plan:?}");
    }
}
