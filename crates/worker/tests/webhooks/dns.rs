//! A name server of the test's own: what it says of a name is decided anew for each question.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

/// Addresses by the number of questions that were asked before; the last answer is repeated.
type Script = Vec<Vec<IpAddr>>;

pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    names: Arc<Mutex<HashMap<String, (Script, usize)>>>,
}

const A: u16 = 1;
const AAAA: u16 = 28;

impl Dns {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let names: Arc<Mutex<HashMap<String, (Script, usize)>>> = Arc::default();
        let known = Arc::clone(&names);
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let answer = answer(&buffer[..length], &known);
                let _ = socket.send_to(&answer, from).await;
            }
        });
        Self { address, names }
    }

    /// Says of `name` one list of addresses after the other.
    pub(crate) fn says(&self, name: &str, script: Script) {
        self.names.lock().unwrap().insert(name.to_owned(), (script, 0));
    }

    /// How often a name was asked for.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.names.lock().unwrap().get(name).map_or(0, |(_, asked)| *asked)
    }
}

/// RFC 1035, section 4: header, the question again, and records with a time to live of 0.
fn answer(question: &[u8], names: &Mutex<HashMap<String, (Script, usize)>>) -> Vec<u8> {
    let (name, end) = name(question);
    let kind = u16::from_be_bytes([question[end], question[end + 1]]);
    let mut names = names.lock().unwrap();
    let found = names.get_mut(&name).map(|(script, asked)| {
        let addresses = script[(*asked).min(script.len() - 1)].clone();
        // Each connect asks for both kinds of address; the one for IPv4 counts.
        *asked += usize::from(kind == A);
        addresses
    });
    let exists = found.is_some();
    let addresses: Vec<IpAddr> = found.unwrap_or_default();
    let wanted = addresses.iter().filter(|ip| ip.is_ipv4() == (kind == A));
    let wanted: Vec<&IpAddr> = wanted.filter(|_| kind == A || kind == AAAA).collect();
    let mut reply = question[..2].to_vec();
    reply.extend([0x85, if exists { 0x80 } else { 0x83 }, 0, 1, 0, wanted.len() as u8, 0, 0, 0, 0]);
    reply.extend(&question[12..end + 4]);
    for ip in wanted {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 0]);
        match ip {
            IpAddr::V4(v4) => {
                reply.extend([0, 4]);
                reply.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                reply.extend([0, 16]);
                reply.extend(v6.octets());
            }
        }
    }
    reply
}

/// The name that is asked for, and where it ends.
fn name(question: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..=at + length]).to_lowercase());
        at += length + 1;
    }
    (labels.join("."), at + 1)
}
