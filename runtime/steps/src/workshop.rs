//! What steps may need, whichever kind they are.

use std::{path::PathBuf, sync::Arc};

use trackside_spec::NodeConfig;
use trackside_store::{Artifacts, Clock, Readers};

use crate::{models::Models, own_addresses::OwnAddresses, plugins::Plugins};

/// What a step may need, whichever kind it is.
pub struct Workshop {
    /// The project's folder.
    pub project: PathBuf,
    /// The node's config: default limits, policy.
    pub config: Arc<NodeConfig>,
    /// Plugins by name.
    pub plugins: Arc<Plugins>,
    /// Models by name.
    pub models: Arc<Models>,
    /// The artifact store.
    pub artifacts: Arc<Artifacts>,
    /// Committed state.
    pub readers: Arc<Readers>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where the node itself listens; no step may call there.
    pub own: Arc<OwnAddresses>,
}
