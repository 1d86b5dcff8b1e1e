//! What a person says about a rollout.

use trackside_node::{RolloutDocument, RolloutProblem, Say, say_without_node};
use trackside_sync::lock;

use super::{RolloutsError, rollout_subject, show_rollout};
use crate::ModelPlace;

/// Promotes, aborts, holds or resumes the rollout of a model, or of `workflow/NAME`. It is on disk when this ends.
///
/// # Errors
/// Any [`RolloutsError`]; nothing was changed then.
pub fn say_rollout(place: &mut ModelPlace, of: &str, say: Say) -> Result<RolloutDocument, RolloutsError> {
    let subject = rollout_subject(of);
    match place.node() {
        Some(handle) => handle.say_rollout(&subject, say, &place.by())?,
        None => {
            let doors = place.doors();
            let _one = lock(&doors.change);
            let rows = place.read(|reader| reader.rollouts_of(&subject, 1))?;
            let row = rows.into_iter().find(|row| row.ended_ms.is_none());
            let row = row.ok_or(RolloutProblem::None { subject: subject.clone() })?;
            let writes = say_without_node(&row, say, &place.by(), place.now_ms())?;
            place.keep(writes)?;
        }
    }
    let node = place.node().cloned();
    place.with_reader(|reader| show_rollout(reader, node.as_ref(), &subject))
}
