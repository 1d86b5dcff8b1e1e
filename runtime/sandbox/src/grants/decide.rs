//! What a call may do: what its plugin wants AND the workflow allows AND the box's policy permits. Every question that a
//! host function has about grants is answered here, with who refused.

use std::{collections::BTreeMap, sync::Arc};

use trackside_net::Url;
use trackside_spec::{Allow, HttpGrant, Origin, Policy, topic};

use super::deliver;
use crate::descriptor::Descriptor;

/// Who refuses. The plugin comes first: without its wish no line of YAML would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The plugin never asked for this kind of grant, or for another one of the kind.
    Plugin(&'static str),
    /// The workflow does not allow it; the content of the `allow: { … }` that would.
    Workflow(String),
    /// The key of `[policy]` that stands against it.
    Node(&'static str),
}

/// Why a delivery is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undeliverable {
    /// No grant could make the path good; what is wrong with it.
    BadPath(String),
    /// A grant would.
    Refused(Refused),
}

impl From<Refused> for Undeliverable {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// A request that may be sent, as far as its name goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permit {
    /// Whether its host may have a private address, and who refuses if not.
    pub(crate) private: Result<(), Refused>,
}

/// The three sides of one call.
#[derive(Debug)]
pub(crate) struct Grants {
    /// `None` = everything: for what has no description, which then has no way to ask either.
    wants: Option<Arc<Descriptor>>,
    allow: Allow,
    policy: Policy,
    policy_http: Option<Vec<HttpGrant>>,
}

impl Grants {
    pub(crate) fn new(wants: Option<Arc<Descriptor>>, allow: Allow, policy: Policy) -> Self {
        let policy_http = policy.http_grants();
        Self { wants, allow, policy, policy_http }
    }

    /// The plugin's own name, for messages.
    pub(crate) fn plugin(&self) -> &str {
        self.wants.as_ref().map_or("", |wants| wants.name.as_str())
    }

    /// Whether the plugin asks for a grant of `kind` that `fits` the value it names; one without a value asks for all.
    fn wants(&self, kind: &'static str, fits: impl Fn(&str) -> bool) -> Result<(), Refused> {
        let Some(descriptor) = &self.wants else { return Ok(()) };
        // `model` was the first name of the kind.
        let is_kind = |wanted: &str| wanted == kind || (kind == "models" && wanted == "model");
        let mut of_kind = descriptor.wants.iter().filter(|want| is_kind(&want.kind));
        let found = of_kind.any(|want| want.value.is_empty() || fits(&want.value));
        if found { Ok(()) } else { Err(Refused::Plugin(kind)) }
    }

    fn flag(&self, kind: &'static str, allowed: bool, policy: Option<bool>) -> Result<(), Refused> {
        self.wants(kind, |_| true)?;
        if !allowed {
            return Err(Refused::Workflow(format!("{kind}: true")));
        }
        if policy == Some(false) { Err(Refused::Node(kind)) } else { Ok(()) }
    }

    pub(crate) fn state(&self) -> Result<(), Refused> {
        self.flag("state", self.allow.state, self.policy.state)
    }

    pub(crate) fn clock(&self) -> Result<(), Refused> {
        self.flag("clock", self.allow.clock, self.policy.clock)
    }

    pub(crate) fn random(&self) -> Result<(), Refused> {
        self.flag("random", self.allow.random, self.policy.random)
    }

    pub(crate) fn model(&self, name: &str) -> Result<(), Refused> {
        self.wants("models", |wanted| wanted == name)?;
        if !self.allow.models.iter().any(|allowed| allowed == name) {
            return Err(Refused::Workflow(format!("models: [{}]", crate::store_data::quoted(name))));
        }
        if Policy::lists(self.policy.models.as_ref(), name) { Ok(()) } else { Err(Refused::Node("models")) }
    }

    /// Whether the secret may be used.
    pub(crate) fn secret(&self, name: &str) -> Result<(), Refused> {
        self.wants("secrets", |wanted| wanted == name)?;
        if !self.allow.secrets.iter().any(|granted| granted.name == name) {
            return Err(Refused::Workflow(format!("secrets: [{}]", crate::store_data::quoted(name))));
        }
        if Policy::lists(self.policy.secrets.as_ref(), name) { Ok(()) } else { Err(Refused::Node("secrets")) }
    }

    /// Whether the workflow lets the plugin see the value of a secret that may be used.
    pub(crate) fn reveal(&self, name: &str) -> Result<(), Refused> {
        self.secret(name)?;
        if self.allow.secrets.iter().any(|granted| granted.name == name && granted.reveal) {
            return Ok(());
        }
        Err(Refused::Workflow(format!("secrets: [{{ name: {}, reveal: true }}]", crate::store_data::quoted(name))))
    }

    pub(crate) fn publish(&self, wanted: &str) -> Result<(), Refused> {
        self.wants("publish", |filter| topic::covers(filter, wanted))?;
        if !self.allow.publish.iter().any(|filter| topic::covers(filter, wanted)) {
            return Err(Refused::Workflow(format!("publish: [{}]", crate::store_data::quoted(wanted))));
        }
        if self.policy.permits_topic(wanted) { Ok(()) } else { Err(Refused::Node("publish")) }
    }

    pub(crate) fn emit(&self, event: &str) -> Result<(), Refused> {
        self.wants("emit", |name| name == event)?;
        if !self.allow.emit.iter().any(|granted| granted == event) {
            return Err(Refused::Workflow(format!("emit: [{}]", crate::store_data::quoted(event))));
        }
        if Policy::lists(self.policy.emit.as_ref(), event) { Ok(()) } else { Err(Refused::Node("emit")) }
    }

    /// Where a delivery goes.
    pub(crate) fn deliver(&self, path: &str) -> Result<deliver::Target, Undeliverable> {
        let target = match deliver::resolve(&self.allow.deliver, path) {
            Err(deliver::Refusal::BadPath(reason)) => return Err(Undeliverable::BadPath(reason)),
            Err(deliver::Refusal::NotGranted { folder }) => Err(folder),
            Ok(target) => Ok(target),
        };
        let wanted = |folder: &str| deliver::resolve(&[folder.to_owned()], path).is_ok();
        self.wants("deliver", wanted)?;
        match target {
            Ok(target) if self.policy.permits_delivery(path) => Ok(target),
            Ok(_) => Err(Refused::Node("deliver").into()),
            Err(folder) => Err(Refused::Workflow(format!("deliver: [{}]", crate::store_data::quoted(&folder))).into()),
        }
    }

    /// Whether a request may be sent, by its URL and method.
    pub(crate) fn http(&self, target: &Url, method: &str) -> Result<Permit, Refused> {
        let covers = |grant: &&HttpGrant| target.is_below(&grant.origin) && grant.has_method(method);
        self.wants("http", |wanted| Origin::parse(wanted).is_ok_and(|origin| target.is_below(&origin)))?;
        let allowed: Vec<_> = self.allow.http.iter().filter(covers).collect();
        if allowed.is_empty() {
            return Err(Refused::Workflow(format!("http: [{}]", self.grant_for(target, method))));
        }
        let permitted = self.policy_http.as_ref().map(|grants| grants.iter().filter(covers).collect::<Vec<_>>());
        if permitted.as_ref().is_some_and(Vec::is_empty) {
            return Err(Refused::Node("http"));
        }
        let private = if !allowed.iter().any(|grant| grant.private) {
            let grant = HttpGrant { private: true, ..self.grant_for(target, method) };
            Err(Refused::Workflow(format!("http: [{grant}]")))
        } else if self.policy.private == Some(false) {
            Err(Refused::Node("private"))
        } else if permitted.is_some_and(|grants| !grants.iter().any(|grant| grant.private)) {
            Err(Refused::Node("http"))
        } else {
            Ok(())
        };
        Ok(Permit { private })
    }

    /// The grant that the workflow would need for a request: the one that it has for this server, widened, or a new one.
    fn grant_for(&self, target: &Url, method: &str) -> HttpGrant {
        let same = self.allow.http.iter().find(|grant| target.is_at(&grant.origin));
        let mut grant = match same {
            Some(grant) => grant.clone(),
            None => HttpGrant { origin: target.origin().clone(), methods: Vec::new(), private: false },
        };
        if !grant.has_method(method) {
            grant.methods.push(method.to_owned());
        }
        if !target.is_below(&grant.origin) {
            let exact = target.origin().clone().with_path(target.path_only());
            grant.origin = exact.unwrap_or_else(|_| target.origin().clone());
        }
        grant
    }

    /// The variables that the guest sees, and those that it was allowed and does not get.
    pub(crate) fn env(&self) -> (BTreeMap<String, String>, Vec<(String, Refused)>) {
        let (mut seen, mut refused) = (BTreeMap::new(), Vec::new());
        for (name, value) in &self.allow.env {
            match self.wants("env", |wanted| wanted == name) {
                Err(reason) => refused.push((name.clone(), reason)),
                Ok(()) if !Policy::lists(self.policy.env.as_ref(), name) => {
                    refused.push((name.clone(), Refused::Node("env")));
                }
                Ok(()) => {
                    seen.insert(name.clone(), value.clone());
                }
            }
        }
        (seen, refused)
    }
}
