//! Which form of control a command gets: the node that runs, or this process.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;
use trackside_node::{Node, NodeError, NodeOptions, Project};
use trackside_store::{StoreError, SystemClock};

use crate::{Client, ClientError, Control, LocalControl, OperationError, no_node, silent_holder};

/// How long a node that holds the data folder may take to open its socket.
const STARTING_TIME: Duration = Duration::from_secs(2);
/// Between two looks for that socket.
const LOOK: Duration = Duration::from_millis(20);

/// The way to a box. To be dropped outside of an asynchronous runtime: a node of this process waits for its threads.
pub struct Session {
    way: Way,
}

enum Way {
    Remote(Client),
    Local { control: LocalControl, _node: Option<Box<Node>> },
}

impl Session {
    /// The node that runs, or one of this process, without triggers.
    ///
    /// # Errors
    /// When the node can not be reached, or none can be started.
    pub fn open(project: &Project, by: &str, runtime: &Runtime) -> Result<Self, OperationError> {
        let data_dir = project.data_dir();
        if let Some(client) = runtime.block_on(Client::find(&data_dir))? {
            return Ok(Self::remote(client));
        }
        match Node::start(project, &NodeOptions { triggers: false, clock: Arc::new(SystemClock) }) {
            Ok(node) => {
                let control = LocalControl::of_node(node.handle(), by);
                Ok(Self { way: Way::Local { control, _node: Some(Box::new(node)) } })
            }
            // A node that has just been started takes the folder first and opens its socket a moment later.
            Err(NodeError::Store(error @ StoreError::Locked { .. })) => {
                runtime.block_on(wait_for_node(&data_dir))?.map(Self::remote).ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The node that runs, also one that is just starting; `None` where none does.
    ///
    /// # Errors
    /// When the node can not be reached, or a process that holds the data folder opens no socket.
    pub fn running(project: &Project, runtime: &Runtime) -> Result<Option<Self>, OperationError> {
        let data_dir = project.data_dir();
        if let Some(client) = runtime.block_on(Client::find(&data_dir))? {
            return Ok(Some(Self::remote(client)));
        }
        let Some(silence) = silent_holder(&data_dir) else { return Ok(None) };
        let found = runtime.block_on(wait_for_node(&data_dir))?;
        found.map(|client| Some(Self::remote(client))).ok_or(OperationError::NoNode(silence))
    }

    /// The node that runs, or the data folder as it lies there: for what needs no node.
    ///
    /// # Errors
    /// When the node can not be reached.
    pub async fn without_node(project: Project, by: &str) -> Result<Self, OperationError> {
        Ok(match Client::find(&project.data_dir()).await? {
            Some(client) => Self::remote(client),
            None => Self { way: Way::Local { control: LocalControl::of_folder(project, by), _node: None } },
        })
    }

    /// The node that has this data folder, for what makes no sense without one. It needs no project: `trackside.toml` may have
    /// been broken since the node's start.
    ///
    /// # Errors
    /// [`OperationError::NoNode`] where none answers, or when it can not be reached.
    pub async fn with_node(data_dir: &Path) -> Result<Self, OperationError> {
        Ok(Self::remote(Client::find(data_dir).await?.ok_or_else(|| no_node(data_dir))?))
    }

    const fn remote(client: Client) -> Self {
        Self { way: Way::Remote(client) }
    }

    /// The operations.
    #[must_use]
    pub fn control(&self) -> &dyn Control {
        match &self.way {
            Way::Remote(client) => client,
            Way::Local { control, .. } => control,
        }
    }

    /// The operations in another name. A node of another process knows by itself who asks.
    #[must_use]
    pub fn asked_by(&self, by: &str) -> Box<dyn Control> {
        match &self.way {
            Way::Remote(client) => Box::new(client.clone()),
            Way::Local { control, .. } => Box::new(control.by(by)),
        }
    }

    /// Whether a node of another process does the work.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        matches!(self.way, Way::Remote(_))
    }
}

async fn wait_for_node(data_dir: &Path) -> Result<Option<Client>, ClientError> {
    let until = Instant::now() + STARTING_TIME;
    loop {
        if let Some(client) = Client::find(data_dir).await? {
            return Ok(Some(client));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        tokio::time::sleep(LOOK).await;
    }
}
