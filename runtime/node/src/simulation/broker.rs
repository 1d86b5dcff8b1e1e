//! The broker of the world, and what it has received.

use std::collections::BTreeMap;

use trackside_outbox::{Publication, Sent};

use super::{by_hand::ByHand, chance::Chance};

/// It outlives crashes of the node.
#[derive(Default)]
pub struct Broker {
    /// Whether it can be reached.
    pub up: bool,
    /// Payloads by key, every repeat.
    received: BTreeMap<String, Vec<Vec<u8>>>,
    /// Where the next message that has not come before may stand in the order of the commits.
    pub next: usize,
}

/// The node's connection to it, which does not.
pub struct Connection {
    by_hand: ByHand,
    /// Sent, and not acknowledged.
    on_the_way: Vec<Publication>,
}

impl Broker {
    pub fn connect(&self, by_hand: ByHand) -> Connection {
        by_hand.set_connected(self.up);
        Connection { by_hand, on_the_way: Vec::new() }
    }

    /// It goes away or comes back. What it had not acknowledged is lost on the way back, whether it came or not.
    pub fn turn(&mut self, connection: &mut Connection, up: bool) {
        self.up = up;
        connection.by_hand.set_connected(up);
        if !up {
            while connection.by_hand.next().is_some() {}
            connection.on_the_way.drain(..).for_each(|publication| (publication.done)(Sent::Lost));
        }
    }

    /// Takes what was sent, and answers some of it; gives the keys that came.
    pub fn answer(&mut self, connection: &mut Connection, chance: &mut Chance, calm: bool) -> Vec<String> {
        let mut came = Vec::new();
        while let Some(publication) = connection.by_hand.next() {
            let key = &publication.attributes.iter().find(|(name, _)| name == "trackside-key").unwrap().1;
            let earlier = self.received.entry(key.clone()).or_default();
            assert!(
                earlier.iter().all(|payload| *payload == publication.payload),
                "a repeat is the same message under the same key: {key}"
            );
            earlier.push(publication.payload.clone());
            came.push(key.clone());
            connection.on_the_way.push(publication);
        }
        while !connection.on_the_way.is_empty() && (calm || !chance.one_in(3)) {
            let publication = connection.on_the_way.remove(0);
            let sent = match chance.below(if calm { 1 } else { 8 }) {
                7 => Sent::Later("the quota is used up".into()),
                6 => Sent::Refused("not allowed".into()),
                _ => Sent::Acknowledged,
            };
            (publication.done)(sent);
        }
        came
    }

    /// How often this message came.
    pub fn times(&self, key: &str) -> usize {
        self.received.get(key).map_or(0, Vec::len)
    }
}
