//! Two clients with one id. A broker lets the newer one in and throws the older one out, which comes back and throws out the
//! newer: a restored copy of a box and the box itself do so for ever, and share the messages between them at random. MQTT 5
//! says what it is. With 3.1.1 the broker merely closes the connection, again and again, soon after it had let us in.

use std::time::Duration;
use trackside_codes::{Code, Told, code};

/// A connection that was closed sooner than this after the broker had let us in did not last; one that was not, did.
pub(super) const LASTING: Duration = Duration::from_secs(60);
/// So many in a row that did not last are no accident.
const IN_A_ROW: u32 = 3;

/// Why a connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The broker says that another client has come with our id.
    TakenOver,
    /// The other end closed it without a word.
    Closed,
    /// Anything else.
    Other,
}

/// The code of what a rival brings about.
pub(super) const RIVAL: Code = code!("TS-0452");

/// What the ends of connections tell, one after the other.
#[derive(Debug, Default)]
pub(super) struct Rival {
    closed_in_a_row: u32,
}

impl Rival {
    /// A connection has ended; `lasted` is how long the broker had let us in, if it had. Gives what is to be said when another
    /// client seems to have our id.
    pub(super) fn told(&mut self, loss: Loss, lasted: Option<Duration>, client_id: &str) -> Option<Told> {
        let brief = lasted.is_some_and(|lasted| lasted < LASTING);
        self.closed_in_a_row = if loss == Loss::Closed && brief { self.closed_in_a_row + 1 } else { 0 };
        let seen = match loss {
            Loss::TakenOver => "another client has connected under our id and the broker has thrown us out".to_owned(),
            Loss::Closed if self.closed_in_a_row >= IN_A_ROW => {
                format!(
                    "the broker has let us in and closed the connection at once, {IN_A_ROW} times or more in a row, as it \
                         does when another client connects under our id"
                )
            }
            Loss::Closed | Loss::Other => return None,
        };
        let message = format!(
            "{seen} (\"{client_id}\"): messages go to one of the two at random; is this box a copy of another one? \
             Give each a `name` of its own in [node], or a `client_id` in [mqtt]"
        );
        Some(Told::new(RIVAL, message))
    }
}

#[cfg(test)]
mod tests {
    use trackside_codes::Coded;

    use super::*;

    #[test]
    fn what_the_broker_says_counts_at_once_and_what_it_does_not_say_counts_in_the_end() {
        let brief = Some(Duration::from_secs(1));
        let mut rival = Rival::default();
        let told = rival.told(Loss::TakenOver, brief, "trackside-a").unwrap();
        assert!(
            told.to_string().contains("TS-0452")
                && told.message().contains("\"trackside-a\"")
                && told.message().contains("client_id"),
            "{told}"
        );
        for _ in 0..2 {
            assert_eq!(rival.told(Loss::Closed, brief, "a"), None);
        }
        assert!(rival.told(Loss::Closed, brief, "a").is_some() && rival.told(Loss::Closed, brief, "a").is_some());
    }

    #[test]
    fn a_broker_that_is_restarted_or_away_is_no_rival() {
        let mut rival = Rival::default();
        for (loss, lasted) in [
            (Loss::Closed, Some(Duration::from_secs(1))),
            (Loss::Closed, Some(Duration::from_secs(2))),
            // Not let in: nobody listens there.
            (Loss::Other, None),
            (Loss::Closed, Some(Duration::from_secs(1))),
            (Loss::Closed, Some(LASTING)),
            (Loss::Closed, Some(Duration::from_secs(1))),
            (Loss::Closed, None),
            (Loss::Closed, Some(Duration::from_secs(1))),
        ] {
            assert_eq!(rival.told(loss, lasted, "a"), None);
        }
    }
}
