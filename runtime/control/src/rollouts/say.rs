//! What a person says about a rollout.

use trackside_facts::Subject;
use trackside_node::{RolloutDocument, RolloutProblem, Say, say_without_node};
use trackside_spec::ModelRef;
use trackside_sync::lock;

use super::{RolloutsError, show_rollout};
use crate::ModelPlace;

/// Promotes, aborts, holds or resumes the rollout of a model. It is on disk when this ends.
///
/// # Errors
/// Any [`RolloutsError`]; nothing was changed then.
pub fn say_rollout(place: &mut ModelPlace, model: &str, say: Say) -> Result<RolloutDocument, RolloutsError> {
    let name = ModelRef::of(model)?.name;
    match place.node() {
        Some(handle) => handle.say_rollout(&name, say, &place.by())?,
        None => {
            let doors = place.doors();
            let _one = lock(&doors.change);
            let subject = Subject::Model(name.clone()).to_string();
            let row =
                place.read(|reader| reader.rollouts_of(&subject, 1))?.into_iter().find(|row| row.ended_ms.is_none());
            let row = row.ok_or(RolloutProblem::None { subject })?;
            let writes = say_without_node(&row, &name, say, &place.by(), place.now_ms())?;
            place.keep(writes)?;
        }
    }
    let serving = place.serving();
    place.with_reader(|reader| show_rollout(reader, serving.as_ref(), &name))
}
