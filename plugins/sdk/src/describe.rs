//! What a plugin says about itself.

/// The answer to `describe`: see `wit/describe.wit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The plugin's name: lower-case letters, digits and `-`.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// One line for lists.
    pub summary: String,
    /// The manual, in Markdown.
    pub docs_markdown: String,
    /// JSON Schema 2020-12 of the input document.
    pub input_schema: String,
    /// JSON Schema 2020-12 of the output document.
    pub output_schema: String,
    /// Artifacts it reads.
    pub inputs: Vec<Port>,
    /// Artifacts it writes.
    pub outputs: Vec<Port>,
    /// What it asks to be allowed.
    pub wants: Vec<Want>,
    /// Whether the same input always gives the same output.
    pub deterministic: bool,
}

/// A named place where artifacts come in or go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The key under which the workflow binds it.
    pub name: String,
    /// For people.
    pub description: String,
    /// Media types it is meant for; empty = any.
    pub media_types: Vec<String>,
    /// Whether the step fails without it.
    pub required: bool,
    /// Whether it takes more than one artifact.
    pub many: bool,
}

impl Port {
    /// An optional port for one artifact of any media type.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            media_types: Vec::new(),
            required: false,
            many: false,
        }
    }

    /// The step fails without it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It takes any number of artifacts.
    #[must_use]
    pub fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// Names a media type it is meant for; call it again for another.
    #[must_use]
    pub fn media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_types.push(media_type.into());
        self
    }
}

/// Something that the plugin asks the operator for. It gets what it asks for, the workflow's `allow:` grants and the
/// box's policy permits: a capability that is not asked for here is refused, whatever the workflow says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// `http`, `secrets`, `models`, `state`, `env`, `deliver`, `publish`, `clock` or `random`: the key in `allow:`.
    pub kind: String,
    /// Which one, as far as the plugin knows: an origin, a model's or a secret's name; empty when the workflow decides.
    pub value: String,
    /// Why, for the person who decides.
    pub reason: String,
    /// Whether it can do without.
    pub optional: bool,
}

impl Want {
    /// Something that it cannot do without.
    pub fn new(kind: impl Into<String>, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kind: kind.into(), value: value.into(), reason: reason.into(), optional: false }
    }

    /// It can do without.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// The JSON Schema of `T`, for `input_schema:` and `output_schema:`.
#[cfg(feature = "schemars")]
#[must_use]
pub fn schema_of<T: schemars::JsonSchema>() -> String {
    schemars::schema_for!(T).to_value().to_string()
}
