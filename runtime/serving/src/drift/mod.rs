//! Has what a model is asked, or what it answers, moved away from its reference?

use crate::{
    error::ServeError,
    request::{Answer, Request},
    watch::Watched,
};

/// Watches one version's inputs and outputs.
pub(crate) struct Watcher {}

/// What was seen of a request.
pub(crate) struct Seen {}

#[expect(clippy::unused_self, clippy::needless_pass_by_value, reason = "nothing is watched yet")]
impl Watcher {
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
