//! Names that lead into our own network, now or a moment later.

use std::net::IpAddr;

use deed_store::webhooks::DeliveryState;

use crate::dns::Dns;
use crate::scene::Hooks;
use crate::support::usual;
use deed_testkit::endpoint::Endpoint;

/// What a name may say; each is refused when it is connected to. The pure table has more.
const REFUSED: [&str; 24] = [
    "127.0.0.1",
    "127.0.0.2",
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::127.0.0.1",
    "2002:7f00:1::",
    "2001:0:1::80ff:fffe",
    "fc00::1",
    "fe80::1",
    "ff02::1",
];

/// Waits until the only delivery of a webhook has been tried so often, and gives its last error.
async fn error_after(hooks: &Hooks, webhook: uuid::Uuid, attempts: u32) -> String {
    let tried = move |log: &[deed_store::webhooks::Delivery]| {
        log.first().is_some_and(|delivery| delivery.attempts == attempts)
    };
    let log = hooks.until(webhook, DeliveryState::Pending, tried).await;
    log[0].last_error.clone().unwrap_or_default()
}

#[tokio::test]
async fn a_name_that_leads_to_a_refused_address_is_not_connected_to() {
    let (hooks, dns) = (Hooks::new().await, Dns::start().await);
    let mut receiver = Endpoint::start().await;
    let port = receiver.address.port();
    let mut webhooks = Vec::new();
    for (n, address) in REFUSED.iter().enumerate() {
        let name = format!("n{n}.endpoint.test");
        dns.says(&name, vec![vec![address.parse().unwrap()]]);
        webhooks.push((address, hooks.hook(&format!("https://{name}:{port}/")).await));
    }
    // One public address beside a private one: both are refused.
    let mixed: Vec<IpAddr> = vec!["8.8.8.8".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    dns.says("mixed.endpoint.test", vec![mixed]);
    webhooks.push((&"mixed", hooks.hook(&format!("https://mixed.endpoint.test:{port}/")).await));
    // An address in the URL, as only an older version or a hand in the database could have stored it.
    webhooks.push((&"literal", hooks.hook(&format!("https://127.0.0.1:{port}/")).await));
    webhooks.push((&"literal", hooks.hook(&format!("https://[::ffff:127.0.0.1]:{port}/")).await));
    let worker = hooks.deliver_with(&[], &[dns.address], usual());
    hooks.tell_many(1).await;
    for (address, webhook) in webhooks {
        let error = error_after(&hooks, webhook, 1).await;
        assert!(error.contains("not of the public internet"), "{address}: {error}");
    }
    worker.stop().await;
    assert!(receiver.received.try_recv().is_err());
}

#[tokio::test]
async fn a_name_is_resolved_once_for_a_connection_and_anew_for_the_next() {
    let (hooks, dns) = (Hooks::new().await, Dns::start().await);
    let mut allowed = Endpoint::at([127, 0, 0, 2].into()).await;
    let name = "rebinds.endpoint.test";
    let address = |text: &str| vec![text.parse::<IpAddr>().unwrap()];
    // To a check that asks by itself it would say the first, to the connection the second.
    dns.says(name, vec![address("127.0.0.2"), address("127.0.0.1"), address("127.0.0.2")]);
    let url = format!("https://{name}:{}/", allowed.address.port());
    let webhook = hooks.hook(&url).await;
    // A listener on the address that is not opened, at the same port: it must not see a connection.
    let trap = std::net::TcpListener::bind(("127.0.0.1", allowed.address.port())).unwrap();
    trap.set_nonblocking(true).unwrap();
    // Each answer closes its connection, so that each attempt connects anew.
    allowed.answers(async |_| {
        let mut answer = deed_testkit::endpoint::status(500);
        answer.headers_mut().insert("connection", "close".parse().unwrap());
        answer
    });
    let worker = hooks.deliver_with(&["127.0.0.2/32"], &[dns.address], usual());
    hooks.tell_many(1).await;
    allowed.next().await;
    assert!(error_after(&hooks, webhook, 1).await.contains("500"));
    assert_eq!(dns.asked(name), 1, "once for a connection");
    hooks.due(webhook).await;
    assert!(error_after(&hooks, webhook, 2).await.contains("loopback"));
    hooks.due(webhook).await;
    allowed.next().await;
    worker.stop().await;
    let none = trap.accept().unwrap_err();
    assert_eq!(none.kind(), std::io::ErrorKind::WouldBlock, "it was connected to");
}

#[tokio::test]
async fn an_endpoint_needs_a_certificate_for_its_name() {
    let (hooks, dns) = (Hooks::new().await, Dns::start().await);
    let mut receiver = Endpoint::start().await;
    dns.says("other.test", vec![vec![[127, 0, 0, 1].into()]]);
    let url = format!("https://other.test:{}/", receiver.address.port());
    let webhook = hooks.hook(&url).await;
    let worker = hooks.deliver_with(&["127.0.0.1/32"], &[dns.address], usual());
    hooks.tell_many(1).await;
    let error = error_after(&hooks, webhook, 1).await;
    assert!(error.starts_with("TLS: "), "{error}");
    let unknown = hooks.hook("https://unknown.test/").await;
    hooks.tell_many(1).await;
    assert_eq!(error_after(&hooks, unknown, 1).await, "its name could not be resolved");
    worker.stop().await;
    assert!(receiver.received.try_recv().is_err());
}
