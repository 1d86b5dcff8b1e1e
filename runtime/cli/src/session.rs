//! The node to work with: the one that runs, or one in this process.

use std::sync::Arc;

use tokio::runtime::Runtime;
use trackside_control::{Client, RunFollower};
use trackside_engine::RunId;
use trackside_node::{Node, NodeError, NodeOptions, Project};
use trackside_spec::Digest;
use trackside_store::{StoreError, SystemClock};

use crate::{
    commands::run::{Source, wait_for_node},
    failure::Failure,
};

/// A node, reached one way or the other. To be dropped outside of the runtime: a node waits for its threads.
pub enum Session {
    /// It runs elsewhere.
    Node(Client),
    /// It runs here, without triggers.
    Own(Box<Node>),
}

impl Session {
    /// Finds the running node, or starts one.
    pub fn open(project: &Project, runtime: &Runtime) -> Result<Self, Failure> {
        let data_dir = project.data_dir();
        if let Some(client) = runtime.block_on(Client::find(&data_dir))? {
            return Ok(Self::Node(client));
        }
        match Node::start(project, &NodeOptions { triggers: false, clock: Arc::new(SystemClock) }) {
            Ok(node) => Ok(Self::Own(Box::new(node))),
            // A node that has just been started takes the folder first and opens its socket a moment later.
            Err(NodeError::Store(error @ StoreError::Locked { .. })) => {
                runtime.block_on(wait_for_node(&data_dir))?.map(Self::Node).ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The digest of the definition that new runs of a workflow start on; none where the workflow is not in use.
    pub async fn in_use(&self, workflow: &str) -> Result<Option<Digest>, Failure> {
        match self {
            Self::Node(client) => {
                let status = client.status().await?;
                Ok(status.workflows.into_iter().find(|known| known.name == workflow).map(|known| known.digest))
            }
            Self::Own(node) => Ok(node.handle().project().workflows.get(workflow).map(|plan| plan.digest)),
        }
    }

    /// The events of a run from the first on.
    pub async fn events(&self, run: RunId) -> Result<Source, Failure> {
        match self {
            Self::Node(client) => Ok(Source::Node { client: client.clone(), events: client.events(run).await? }),
            Self::Own(node) => {
                let handle = node.handle();
                let follower = RunFollower::open(handle.clone(), run).await?;
                let missing = || Failure::unable(format!("[TS-0811] run {run} is not in the store"));
                Ok(Source::Own { handle, follower: Box::new(follower.ok_or_else(missing)?) })
            }
        }
    }
}
