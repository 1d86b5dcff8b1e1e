//! A way to the broker that loses an acknowledgement.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// The first byte of a PUBACK.
const PUBACK: u8 = 0x40;

/// Passes connections on to the broker on this port, and gives the port of its own. The first acknowledgement of a message is
/// not passed on: the connection breaks instead, so that the broker has the message and its sender does not know.
pub fn start(broker: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let lost = Arc::new(AtomicUsize::new(0));
    let counter = lost.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(broker) = TcpStream::connect(("127.0.0.1", broker)) else { continue };
            let (from_client, to_broker) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
            thread::spawn(move || pass(from_client, to_broker, |_| true));
            let lost = counter.clone();
            thread::spawn(move || {
                pass(broker, client, |bytes| !has_ack(bytes) || lost.fetch_add(1, Ordering::Relaxed) > 0);
            });
        }
    });
    (port, lost)
}

/// Passes on what `may` pass; then both ends are closed.
fn pass(mut from: TcpStream, mut to: TcpStream, may: impl Fn(&[u8]) -> bool) {
    let mut bytes = [0; 4096];
    while let Ok(number @ 1..) = from.read(&mut bytes) {
        if !may(&bytes[..number]) || to.write_all(&bytes[..number]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// Whether an acknowledgement is among these packets. What a broker sends to a client that only publishes is shorter than 128
/// bytes, so its length is one byte.
fn has_ack(mut packets: &[u8]) -> bool {
    while let [kind, length, rest @ ..] = packets {
        if *kind == PUBACK {
            return true;
        }
        packets = rest.get(usize::from(*length)..).unwrap_or_default();
    }
    false
}
