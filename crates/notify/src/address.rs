//! To which addresses a delivery may be sent: those of the public internet, and what the operator
//! names. Whoever makes a webhook chooses where this server connects to, so everything that is
//! reachable from its own network only is refused (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// IPv4 networks that are not public: the special-purpose registry of IANA (RFC 6890), multicast
/// and the reserved class E.
const REFUSED_V4: [([u8; 4], u8, &str); 16] = [
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "carrier-grade NAT"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([169, 254, 0, 0], 16, "link-local, cloud metadata"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "IETF protocol assignments"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 31, 196, 0], 24, "AS112"),
    ([192, 52, 193, 0], 24, "automatic multicast tunneling"),
    ([192, 88, 99, 0], 24, "6to4 relay"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "benchmarking"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    ([224, 0, 0, 0], 3, "multicast or reserved"),
];

/// Single IPv4 addresses that are public by their number and serve metadata of a cloud.
const METADATA_V4: [[u8; 4]; 1] = [[168, 63, 129, 16]];

/// IPv6 networks within 2000::/3 that are not public. Everything outside 2000::/3 is refused as a
/// whole: loopback, unspecified, IPv4-mapped and -compatible, unique local, link-local, site-local,
/// multicast, discard-only, segment routing.
const REFUSED_V6: [(u16, u16, u8, &str); 6] = [
    (0x2001, 0x0000, 23, "IETF protocol assignments, Teredo, benchmarking, ORCHID"),
    (0x2001, 0x0db8, 32, "documentation"),
    (0x2002, 0x0000, 16, "6to4"),
    (0x3ffe, 0x0000, 16, "6bone"),
    (0x3fff, 0x0000, 20, "documentation"),
    (0x2620, 0x004f, 32, "AS112"),
];

/// The addresses that deliveries may go to.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Vec<IpNet>,
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is no address of the public internet ({why})")]
pub struct Refused {
    /// The address, as it was resolved.
    pub address: IpAddr,
    /// What it is instead.
    pub why: &'static str,
}

impl Guard {
    /// The public internet, and the networks of `allowed`.
    #[must_use]
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether a connection to `address` may be opened. An IPv6 address that leads to an IPv4 one
    /// (mapped, translated by NAT64, 6to4, Teredo, ISATAP) is no way around what is refused there.
    ///
    /// # Errors
    /// What the address is, if it is not public and in no allowed network.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        // A mapped address is the IPv4 address to the kernel, and so it is to the operator.
        let address = address.to_canonical();
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        let why = match address {
            IpAddr::V4(v4) => refused_v4(v4),
            IpAddr::V6(v6) => refused_v6(v6),
        };
        why.map_or(Ok(()), |why| Err(Refused { address, why }))
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<&'static str> {
    if METADATA_V4.contains(&address.octets()) {
        return Some("cloud metadata");
    }
    let bits = address.to_bits();
    let inside = |network: [u8; 4], prefix: u8| {
        (bits ^ u32::from_be_bytes(network)) >> (32 - u32::from(prefix)) == 0
    };
    let found = REFUSED_V4.iter().find(|(network, prefix, _)| inside(*network, *prefix));
    found.map(|(.., why)| *why)
}

fn refused_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    // NAT64 (RFC 6052): a translator carries it to the IPv4 address in it.
    if is_nat64(segments) {
        return embedded(address).and_then(refused_v4);
    }
    if segments[0] & 0xe000 != 0x2000 {
        return Some("outside the global unicast addresses of IPv6");
    }
    let bits = address.to_bits();
    let inside = |first: u16, second: u16, prefix: u8| {
        let network = (u128::from(first) << 112) | (u128::from(second) << 96);
        (bits ^ network) >> (128 - u32::from(prefix)) == 0
    };
    let found =
        REFUSED_V6.iter().find(|(first, second, prefix, _)| inside(*first, *second, *prefix));
    if let Some((.., why)) = found {
        return Some(why);
    }
    // ISATAP (RFC 5214) within a public prefix: tunnelled to the IPv4 address at its end.
    embedded(address).and_then(refused_v4)
}

/// The well-known prefix 64:ff9b::/96. The local one, 64:ff9b:1::/48 (RFC 8215), leads into the
/// operator's own network and stays refused.
fn is_nat64(segments: [u16; 8]) -> bool {
    segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0]
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match s {
        // ::1 and :: are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Mapped (also translated, ::ffff:0:a.b.c.d, RFC 2765), compatible, NAT64.
        [0, 0, 0, 0, 0, 0xffff, a, b]
        | [0, 0, 0, 0, 0xffff, 0, a, b]
        | [0, 0, 0, 0, 0, 0, a, b]
        | [0x64, 0xff9b, 0, 0, 0, 0, a, b]
        // 6to4: the second and third group.
        | [0x2002, a, b, ..]
        // ISATAP: ...:0:5efe:a.b.c.d, also with the bit for a public address.
        | [_, _, _, _, 0 | 0x200, 0x5efe, a, b] => Some(join(a, b)),
        // Teredo: the client's address, inverted.
        [0x2001, 0, .., a, b] => Some(join(!a, !b)),
        _ => None,
    }
}
