//! Where a delivery may go: a table of addresses and tricks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use deed_notify::address::Guard;
use deed_notify::endpoint::{UrlError, parse};
use proptest::prelude::*;

/// Refused as addresses, whether they stand in a URL or come out of a name.
const REFUSED: [&str; 78] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::10.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::ffff:192.168.1.1",
    "::ffff:7f00:1",
    "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:0:1234::f5ff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "2a00:1450:4001::5efe:10.0.0.1",
    "2a00:1450:4001:0:200:5efe:127.0.0.1",
    "3ffe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd12:3456:789a::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
];

/// Public.
const ACCEPTED: [&str; 14] = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
];

/// URLs that lead to refused addresses, or try to, by their notation.
const TRICKS: [&str; 40] = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://0177.0.0.1/",
    "https://0177.0x0.0.1/",
    "https://127.0.0.1./",
    "https://%31%32%37.0.0.1/",
    "https://127%2e0%2e0%2e1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://0/",
    "https://0.0.0.0:8443/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[2002:a9fe:a9fe::]/",
    "https://example.org@127.0.0.1/",
    "https://example.org:443@127.0.0.1/",
    "https://user:password@example.org/",
    "https:\\\\127.0.0.1\\",
    "https:/127.0.0.1/",
    "http://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "https://example.org:22/",
    "https://example.org/#fragment",
];

fn guard(networks: &[&str]) -> Guard {
    Guard::new(networks.iter().map(|network| network.parse().unwrap()).collect())
}

#[test]
fn what_is_not_public_is_refused_and_what_is_public_is_not() {
    let guard = Guard::default();
    for text in REFUSED {
        assert!(guard.check(text.parse().unwrap()).is_err(), "{text} is accepted");
    }
    for text in ACCEPTED {
        assert_eq!(guard.check(text.parse().unwrap()), Ok(()), "{text}");
    }
}

#[test]
fn no_notation_of_an_address_is_a_way_around() {
    let guard = Guard::default();
    for url in TRICKS {
        assert!(parse(url, &guard).is_err(), "{url} is accepted: {:?}", parse(url, &guard));
    }
    for address in REFUSED {
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let refused = parse(&format!("https://{host}/hook"), &guard);
        assert!(matches!(refused, Err(UrlError::Address(_))), "{address}: {refused:?}");
    }
    for url in [
        "",
        "example.org",
        "//example.org/",
        "https://",
        "https://exa mple.org/",
        "https://example.org/\r\nHost: other",
        "https://[::1",
        "https://256.256.256.256/",
        "https://[fe80::1%25eth0]/",
        "https://ex\tample.org/",
    ] {
        assert_eq!(parse(url, &guard).unwrap_err(), UrlError::Form, "{url}");
    }
}

#[test]
fn a_url_is_kept_as_it_will_be_requested() {
    let guard = Guard::default();
    for (url, kept) in [
        ("https://EXAMPLE.org", "https://example.org/"),
        ("https://example.org:443/hook?a=b", "https://example.org/hook?a=b"),
        ("https://example.org:8443/a/../b", "https://example.org:8443/b"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
    ] {
        assert_eq!(parse(url, &guard).unwrap().as_str(), kept);
    }
    let long = format!("https://example.org/{}", "a".repeat(2048));
    assert_eq!(parse(&long, &guard).unwrap_err(), UrlError::Form);
}

#[test]
fn an_allow_list_opens_only_what_it_names() {
    let opened = ["10.1.0.0/16", "::1/128", "fd00:1::/32", "192.0.2.7/32"];
    let guard = guard(&opened);
    for text in ["10.1.0.1", "10.1.255.255", "::ffff:10.1.2.3", "::1", "fd00:1::5", "192.0.2.7"] {
        assert_eq!(guard.check(text.parse().unwrap()), Ok(()), "{text}");
    }
    for text in REFUSED.iter().filter(|text| **text != "::1").chain(&[
        "10.0.255.255",
        "10.2.0.0",
        "::2",
        "fd00:2::1",
        "192.0.2.6",
        "127.0.0.1",
        "::10.1.0.1",
        "64:ff9b::10.1.0.1",
        "2002:a01:1::1",
        "::ffff:10.2.0.1",
    ]) {
        assert!(guard.check(text.parse().unwrap()).is_err(), "{text} is accepted");
    }
    assert!(parse("https://10.1.0.1/", &guard).is_ok());
    assert!(parse("https://10.2.0.1/", &guard).is_err());
}

/// Every form in which an IPv6 address can hand a packet on to this IPv4 address.
fn forms(v4: Ipv4Addr) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = v4.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    vec![
        v4.to_ipv6_mapped(),
        Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0, 1, 2, 3, 4, !high, !low),
        Ipv6Addr::new(0x2a00, 1, 2, 3, 0, 0x5efe, high, low),
    ]
}

proptest! {
    #[test]
    fn whatever_stands_for_a_refused_address_is_refused(bits in any::<u32>()) {
        let (guard, v4) = (Guard::default(), Ipv4Addr::from_bits(bits));
        if guard.check(IpAddr::V4(v4)).is_err() {
            for form in forms(v4) {
                prop_assert!(guard.check(IpAddr::V6(form)).is_err(), "{form} for {v4}");
            }
        }
        // And what the standard library calls special is refused too.
        if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
            || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified()
        {
            prop_assert!(guard.check(IpAddr::V4(v4)).is_err(), "{v4}");
        }
    }

    #[test]
    fn nothing_outside_2000_3_is_accepted_but_what_is_mapped_or_translated(bits in any::<u128>()) {
        let address = Ipv6Addr::from_bits(bits);
        if address.segments()[0] & 0xe000 != 0x2000 && address.to_ipv4_mapped().is_none() {
            prop_assert!(Guard::default().check(address.into()).is_err(), "{address}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,100}", host in "[0-9a-fxA-FX.:\\[\\]%]{1,30}") {
        let guard = Guard::default();
        let _ = parse(&text, &guard);
        if let Ok(url) = parse(&format!("https://{host}/"), &guard)
            && let Some(address) = deed_notify::endpoint::literal(&url)
        {
            prop_assert!(guard.check(address).is_ok());
        }
    }
}
