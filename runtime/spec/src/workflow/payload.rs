//! Parameters that a message brings.

use serde_json::{Map, Value};

use super::bind::ParamProblem;
use crate::plan::Plan;

impl Plan {
    /// The complete `params` document of a run that is started by a message with this payload: members of an object
    /// that are called like a parameter are its value, the rest is left to the steps; defaults are filled in.
    ///
    /// # Errors
    /// One problem for every value that does not fit and every required parameter that the payload does not bring.
    pub fn bind_payload(&self, payload: &Value) -> Result<Map<String, Value>, Vec<ParamProblem>> {
        let mut given = Map::new();
        if let Value::Object(members) = payload {
            for param in &self.params {
                if let Some(value) = members.get(&param.name) {
                    given.insert(param.name.clone(), value.clone());
                }
            }
        }
        self.bind_params(&given).map_err(|mut problems| {
            for problem in problems.iter_mut().filter(|problem| !given.contains_key(&problem.name)) {
                problem.help = Some(format!("the payload is an object with a member `{}`", problem.name));
            }
            problems
        })
    }
}
