//! The definitions that count now: those of the running node, or those of the files where none runs.
//!
//! The two differ while a file is broken, while the node waits for a plugin, or has not seen a change yet.

use std::{collections::BTreeMap, sync::Arc};

use trackside_node::{Handle, Project};
use trackside_spec::{Digest, Plan, load_workflow};
use trackside_store::Reader;

use crate::{Client, NoNode, QueryError, silent_holder};

/// The workflows that count, and who says so.
pub struct InUse {
    /// By name.
    pub workflows: BTreeMap<String, Arc<Plan>>,
    /// The node that was asked; none where none runs.
    pub node: Option<u32>,
    /// Why no node answers although a process has the data folder.
    silence: Option<NoNode>,
}

impl InUse {
    /// Asks the node where one runs; takes the project's files otherwise.
    ///
    /// # Errors
    /// When the node can not be asked, or uses what this program can not read.
    pub async fn of(project: &Project, reader: Option<&Reader>) -> Result<Self, QueryError> {
        let Some(client) = Client::find(&project.data_dir()).await? else {
            let silence = silent_holder(&project.data_dir());
            return Ok(Self { workflows: project.workflows.clone(), node: None, silence });
        };
        let status = client.status().await?;
        let mut workflows = BTreeMap::new();
        for workflow in status.workflows {
            let of_file = project.workflows.get(&workflow.name).filter(|plan| plan.digest == workflow.digest);
            let plan = match of_file {
                Some(plan) => plan.clone(),
                None => Arc::new(kept(reader, &workflow.name, &workflow.digest)?),
            };
            workflows.insert(workflow.name, plan);
        }
        Ok(Self { workflows, node: Some(status.pid), silence: None })
    }

    /// Those of a node of this process.
    #[must_use]
    pub fn of_node(handle: &Handle) -> Self {
        Self { workflows: handle.project().workflows.clone(), node: Some(std::process::id()), silence: None }
    }

    /// In words.
    #[must_use]
    pub fn source(&self) -> String {
        match (self.node, &self.silence) {
            (Some(pid), _) => format!("As the running node has them (process {pid})."),
            (None, Some(silence)) => format!("As the files have them: {silence}."),
            (None, None) => "No node is running: as the files have them.".to_owned(),
        }
    }

    /// For programs.
    #[must_use]
    pub const fn origin(&self) -> &'static str {
        if self.node.is_some() { "node" } else { "files" }
    }
}

/// The definition that the node uses and no file has: the database keeps it.
fn kept(reader: Option<&Reader>, name: &str, digest: &Digest) -> Result<Plan, QueryError> {
    let rows = match reader {
        Some(reader) => reader.activations(name, u32::MAX)?,
        None => Vec::new(),
    };
    let row = rows.into_iter().find(|row| row.digest == Some(*digest));
    let plan = row.and_then(|row| load_workflow(&row.file, row.source.as_deref()?).ok());
    plan.ok_or_else(|| QueryError::OtherVersion { workflow: name.to_owned(), digest: *digest })
}
