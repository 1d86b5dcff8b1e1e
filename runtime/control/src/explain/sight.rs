//! What the running node says of a file or a folder at this moment: what is on disk tells only what was decided.

use serde::Serialize;
use trackside_node::Project;

use crate::{Client, Control, silent_holder};

/// Who is asked: the running node, where there is one.
pub struct Watcher {
    node: Option<Box<dyn Control>>,
    /// Why it can not be asked.
    problem: Option<String>,
}

/// How a file or folder stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// One word: `watched`, `unwatched`, `settling` and so on; `no-node` and `unknown` where the node does not say.
    pub state: String,
    /// The same for people.
    pub detail: String,
}

impl Watcher {
    /// This node.
    #[must_use]
    pub fn of(node: impl Control + 'static) -> Self {
        Self { node: Some(Box::new(node)), problem: None }
    }

    /// The node of another process that has the project.
    pub async fn find(project: &Project) -> Self {
        match Client::find(&project.data_dir()).await {
            Ok(Some(client)) => Self::of(client),
            Ok(None) => {
                Self { node: None, problem: silent_holder(&project.data_dir()).map(|silent| silent.to_string()) }
            }
            // What is on disk can be told all the same.
            Err(error) => Self { node: None, problem: Some(error.to_string()) },
        }
    }

    /// How what lies at this path below the trigger's folder stands.
    pub(super) async fn sight(&self, trigger: &str, path: &str) -> Sight {
        let unknown = |detail: String| Sight { state: "unknown".to_owned(), detail };
        let Some(node) = &self.node else {
            return match &self.problem {
                Some(problem) => unknown(problem.clone()),
                None => Sight {
                    state: "no-node".to_owned(),
                    detail: "no node is running; what lies in the folder is found at the next start".to_owned(),
                },
            };
        };
        match node.sight(trigger, path).await {
            Err(error) => unknown(error.to_string()),
            Ok(told) => match (told.sight, told.detail) {
                (Some(state), Some(detail)) => Sight { state, detail },
                _ => unknown("the node has no such trigger in use, or is too busy to say".to_owned()),
            },
        }
    }
}
