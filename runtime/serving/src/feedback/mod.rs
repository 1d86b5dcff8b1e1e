//! Predictions that wait for their truth, and inputs that are worth a label.

use crate::{
    error::ServeError,
    request::{Answer, Request},
    watch::Watched,
};

/// Records one version's predictions.
pub(crate) struct Recorder {}

/// What was seen of a request.
pub(crate) struct Seen {}

#[expect(clippy::unused_self, clippy::needless_pass_by_value, reason = "nothing is recorded yet")]
impl Recorder {
    pub(crate) fn of(watched: &Watched<'_>) -> Self {
        let Watched { .. } = watched;
        Self {}
    }

    pub(crate) fn asked(&self, request: &Request) -> Seen {
        let _ = request;
        Seen {}
    }

    pub(crate) fn answered(&self, seen: Seen, answer: &Result<Answer, ServeError>) {
        let (Seen {}, _) = (seen, answer);
    }
}
