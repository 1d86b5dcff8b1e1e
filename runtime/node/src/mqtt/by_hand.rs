//! A broker's client that the simulation plays.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::outlet::{Brokers, Order, Outlet, Publication, Sent};

/// The other end of an outlet.
pub(crate) struct ByHand {
    connected: Arc<AtomicBool>,
    orders: UnboundedReceiver<Order>,
}

impl ByHand {
    /// Brokers of which only this one is there, and is away.
    pub(crate) fn new(name: &str) -> (Brokers, Self) {
        let (connected, (sender, orders)) = (Arc::new(AtomicBool::new(false)), unbounded_channel());
        let outlet = Outlet { connected: connected.clone(), problem: Arc::default(), orders: sender };
        let outlets = Mutex::new([(name.to_owned(), outlet)].into());
        (Brokers { outlets, thread: Mutex::default() }, Self { connected, orders })
    }

    /// Whether it is there from now on.
    pub(crate) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Release);
    }

    /// The next publication that was handed over.
    pub(crate) fn next(&mut self) -> Option<Publication> {
        loop {
            match self.orders.try_recv().ok()? {
                Order::Publish(publication) if self.connected.load(Ordering::Acquire) => return Some(publication),
                Order::Publish(publication) => (publication.done)(Sent::Lost),
                Order::Connect | Order::Listen(..) => {}
            }
        }
    }
}
