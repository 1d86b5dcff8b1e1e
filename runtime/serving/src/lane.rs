//! Who runs and who waits: so many at a time, the others in a bounded queue by priority, then by arrival.
//!
//! Pure: what waits is of any type, time is what the caller says. The least important gives way when the queue is full, so that a
//! flood of unimportant requests can not keep out an important one.

use std::collections::BTreeMap;

/// How important a request is; 0 is the most important, as in Triton.
pub type Priority = u32;

/// One model's lane.
#[derive(Debug)]
pub struct Lane<T> {
    at_once: usize,
    room: usize,
    running: usize,
    next: u64,
    /// By priority, then by number of arrival.
    waiting: BTreeMap<Ticket, T>,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    priority: Priority,
    number: u64,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Entered<T> {
    /// It may run now. Its end must be told by [`Lane::leave`].
    Run(T),
    /// It waits.
    Waits(Ticket),
    /// It waits, and this less important one has to go for it.
    Instead(Ticket, T),
    /// There is no room.
    Full(T),
}

impl<T> Lane<T> {
    /// `at_once` run, `room` wait. At least one runs.
    #[must_use]
    pub const fn new(at_once: usize, room: usize) -> Self {
        let at_once = if at_once == 0 { 1 } else { at_once };
        Self { at_once, room, running: 0, next: 0, waiting: BTreeMap::new() }
    }

    /// Whether one may run now that needs nothing kept while it waits. Its end must be told by [`Lane::leave`].
    pub fn try_run(&mut self) -> bool {
        // Who waits is before who comes, so nobody overtakes while somebody is being woken.
        let may = self.running < self.at_once && self.waiting.is_empty();
        self.running += usize::from(may);
        may
    }

    /// Takes a request.
    pub fn enter(&mut self, priority: Priority, request: T) -> Entered<T> {
        if self.try_run() {
            return Entered::Run(request);
        }
        let ticket = Ticket { priority, number: self.next };
        if self.waiting.len() < self.room {
            self.next += 1;
            self.waiting.insert(ticket, request);
            return Entered::Waits(ticket);
        }
        match self.waiting.last_entry() {
            Some(least) if least.key().priority > priority => {
                let shed = least.remove();
                self.next += 1;
                self.waiting.insert(ticket, request);
                Entered::Instead(ticket, shed)
            }
            _ => Entered::Full(request),
        }
    }

    /// One has ended: the first of those who wait runs in its place.
    #[must_use = "it runs now, and somebody must tell it"]
    pub fn leave(&mut self) -> Option<T> {
        // After `resize` more may run than should.
        let next = if self.running > self.at_once { None } else { self.waiting.pop_first() };
        if next.is_none() {
            self.running = self.running.saturating_sub(1);
        }
        next.map(|(_, first)| first)
    }

    /// Takes up to `most` of those who wait and are `fit`, in their order, to be run together with one that runs. The first that
    /// is not fit ends it: nobody is overtaken.
    pub fn along(&mut self, most: usize, mut fit: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        while taken.len() < most {
            match self.waiting.first_entry() {
                Some(first) if fit(first.get()) => taken.push(first.remove()),
                _ => break,
            }
        }
        taken
    }

    /// Takes one out of the queue whose caller waits no longer; `None` when it is not there any more.
    pub fn withdraw(&mut self, ticket: Ticket) -> Option<T> {
        self.waiting.remove(&ticket)
    }

    /// How many run.
    #[must_use]
    pub const fn running(&self) -> usize {
        self.running
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many may run at a time.
    #[must_use]
    pub const fn at_once(&self) -> usize {
        self.at_once
    }

    /// Other bounds. Who runs or waits already is not touched.
    pub const fn resize(&mut self, at_once: usize, room: usize) {
        self.at_once = if at_once == 0 { 1 } else { at_once };
        self.room = room;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_run_and_the_others_wait_in_order() {
        let mut lane = Lane::new(2, 10);
        assert_eq!(lane.enter(1, 'a'), Entered::Run('a'));
        assert_eq!(lane.enter(1, 'b'), Entered::Run('b'));
        for (priority, name) in [(1, 'c'), (0, 'd'), (1, 'e'), (0, 'f')] {
            assert!(matches!(lane.enter(priority, name), Entered::Waits(_)));
        }
        let order: Vec<_> = std::iter::from_fn(|| lane.leave()).collect();
        assert_eq!(order, ['d', 'f', 'c', 'e'], "the important first, each in order of arrival");
        assert_eq!((lane.running(), lane.waiting()), (1, 0));
        assert_eq!((lane.leave(), lane.running()), (None, 0));
    }

    #[test]
    fn a_full_queue_sheds_the_least_important_or_refuses() {
        let mut lane = Lane::new(1, 2);
        assert_eq!(lane.enter(0, 'a'), Entered::Run('a'));
        let Entered::Waits(_) = lane.enter(5, 'b') else { panic!() };
        let Entered::Waits(_) = lane.enter(5, 'c') else { panic!() };
        assert_eq!(lane.enter(5, 'd'), Entered::Full('d'), "its like does not give way to it");
        let Entered::Instead(_, shed) = lane.enter(1, 'e') else { panic!() };
        assert_eq!(shed, 'c', "of the least important the one that came last");
        assert_eq!(lane.leave(), Some('e'));
    }

    #[test]
    fn who_goes_leaves_its_place() {
        let mut lane = Lane::new(1, 2);
        assert_eq!(lane.enter(0, 'a'), Entered::Run('a'));
        let Entered::Waits(ticket) = lane.enter(0, 'b') else { panic!() };
        assert_eq!(lane.withdraw(ticket), Some('b'));
        assert_eq!(lane.withdraw(ticket), None);
        assert_eq!(lane.leave(), None);
        assert_eq!(lane.enter(0, 'c'), Entered::Run('c'));
    }

    #[test]
    fn a_batch_takes_those_in_front_that_fit() {
        let mut lane = Lane::new(1, 9);
        assert_eq!(lane.enter(0, 1), Entered::Run(1));
        for number in [3, 5, 4, 7] {
            assert!(matches!(lane.enter(0, number), Entered::Waits(_)));
        }
        assert_eq!(lane.along(9, |number| number % 2 == 1), [3, 5], "4 does not fit, and 7 does not overtake it");
        assert_eq!(lane.along(0, |_| true), [0; 0]);
        assert_eq!(lane.leave(), Some(4));
    }

    #[test]
    fn no_room_at_all_is_no_queue() {
        let mut lane = Lane::new(0, 0);
        assert_eq!(lane.enter(0, 'a'), Entered::Run('a'));
        assert_eq!(lane.enter(0, 'b'), Entered::Full('b'));
    }
}
