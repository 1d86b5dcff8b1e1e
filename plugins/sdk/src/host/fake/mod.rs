//! The in-memory host: the generated bindings' types and signatures, without a component.
//!
//! One world per thread, so that tests run in parallel. [`crate::testing::TestHost`] fills it before a call and reads
//! it after.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

pub mod artifacts;
pub mod context;
pub mod http;
pub mod inference;
pub mod outbox;
pub mod secrets;
pub mod state;
pub mod telemetry;

/// Answers requests.
pub type HttpHandler = Rc<dyn Fn(&http::Request, &[u8]) -> Result<http::Canned, http::HttpError>>;

/// Plays a model.
pub type ModelHandler =
    Rc<dyn Fn(&[(String, inference::Content)]) -> Result<Vec<(String, inference::Content)>, inference::InferenceError>>;

/// Everything one call can see and do.
#[derive(Default)]
pub struct World {
    pub info: context::Info,
    pub input_json: String,
    pub cancelled: bool,
    pub inputs: BTreeMap<String, Vec<Rc<artifacts::Content>>>,
    pub output_ports: BTreeSet<String>,
    pub committed: Vec<(String, Rc<artifacts::Content>)>,
    /// `None` = not granted.
    pub state: Option<state::Table>,
    pub delivered: Vec<outbox::Delivered>,
    pub published: Vec<outbox::Published>,
    pub emitted: Vec<(String, String)>,
    pub log: Vec<(telemetry::Level, String)>,
    pub metrics: Vec<(String, f64)>,
    /// `None` = not granted.
    pub http: Option<HttpHandler>,
    pub requests: Vec<(http::Request, Vec<u8>)>,
    pub models: BTreeMap<String, ModelHandler>,
    pub secrets: BTreeMap<String, Vec<u8>>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// Looks at or changes this thread's world. Handlers are called outside of it.
pub fn with<R>(act: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(act)
}

/// What `denied` says here; the real host prints the YAML that grants it.
fn denied(what: &str) -> String {
    format!("the test host does not grant {what}")
}

/// The error enums of the contract are shown by their debug form, as the generated ones are.
macro_rules! errors {
    ($($name:ty),+) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self:?}")
            }
        }

        impl std::error::Error for $name {}
    )+};
}

errors!(
    artifacts::ArtifactError,
    http::HttpError,
    inference::InferenceError,
    outbox::OutboxError,
    secrets::SecretError,
    state::StateError
);
