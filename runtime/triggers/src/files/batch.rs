//! Files that wait for company: one run for many (`batch`).
//!
//! What is gathered is under way like a fire whose outcome is open: it is neither looked at again nor forgotten. On a
//! restart the files lie in the folder still and are gathered anew.

use std::time::Duration;

use super::{
    host::{FileFire, FireReply, FiredFile},
    inbox::ReplyTo,
    watcher::{Flight, Passenger, Round},
};

/// The files that one trigger gathers at present.
#[derive(Debug, Default)]
pub struct Gathering {
    /// The number of their flight, from the first file on.
    number: Option<u64>,
    files: Vec<FiredFile>,
    deadline: Duration,
}

impl Gathering {
    /// When the run starts with what there is by then.
    pub fn deadline(&self) -> Option<Duration> {
        self.number.map(|_| self.deadline)
    }

    /// The file with this identity, if it is among them.
    pub fn twin(&self, identity: &str) -> bool {
        self.files.iter().any(|file| file.identity == identity)
    }
}

impl Round {
    /// Starts the run of a file, or adds the file to those that start a run together.
    pub(super) fn set_out(&mut self, index: usize, passenger: Passenger, file: FiredFile) {
        let now = self.now();
        let Some(batch) = self.folders[index].watched.trigger.batch else {
            let number = self.new_flight();
            self.board(number, passenger);
            return self.launch(index, number, vec![file], false);
        };
        let number = match self.folders[index].batch.number {
            Some(number) => number,
            None => {
                let number = self.new_flight();
                let gathering = &mut self.folders[index].batch;
                (gathering.number, gathering.deadline) = (Some(number), now.saturating_add(batch.max_wait.to_std()));
                number
            }
        };
        self.board(number, passenger);
        let gathering = &mut self.folders[index].batch;
        gathering.files.push(file);
        if gathering.files.len() >= batch.max_files as usize {
            self.launch_batch(index);
        }
    }

    /// Starts the runs of batches whose time is over.
    pub(super) fn launch_due_batches(&mut self) {
        let now = self.now();
        for index in 0..self.folders.len() {
            if self.folders[index].batch.deadline().is_some_and(|at| at <= now) {
                self.launch_batch(index);
            }
        }
    }

    fn launch_batch(&mut self, index: usize) {
        let Gathering { number, files, .. } = std::mem::take(&mut self.folders[index].batch);
        if let Some(number) = number {
            self.launch(index, number, files, true);
        }
    }

    fn launch(&mut self, index: usize, number: u64, files: Vec<FiredFile>, batch: bool) {
        let watched = &self.folders[index].watched;
        let fire = FileFire {
            trigger_id: watched.trigger_id.clone(),
            workflow: watched.workflow.clone(),
            files,
            batch,
            logical_ms: self.host.now_ms(),
        };
        self.host.fire(fire, FireReply(Some(ReplyTo::new(self.inbox.clone(), number))));
    }

    fn new_flight(&mut self) -> u64 {
        self.last_flight += 1;
        self.flights.insert(self.last_flight, Flight::default());
        self.last_flight
    }

    fn board(&mut self, number: u64, passenger: Passenger) {
        let Some(flight) = self.flights.get_mut(&number) else { return };
        self.flying.insert(passenger.key.clone(), (number, flight.passengers.len()));
        self.aboard.insert((passenger.key.0, passenger.look.stat));
        flight.passengers.push(passenger);
    }
}
