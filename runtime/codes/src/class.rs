//! What kind of trouble a code stands for.

/// What kind of trouble a code stands for: what an HTTP status, an exit code, or the question whether to try again goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// What was asked for is wrong in itself.
    BadInput,
    /// A file that people write is wrong.
    BadFile,
    /// There is no such thing.
    NotFound,
    /// It does not go together with how things stand: ended already, there already.
    Conflict,
    /// Whoever asks may not.
    Denied,
    /// It is not known who asks.
    Unauthenticated,
    /// The content is of a type that is not read.
    UnsupportedType,
    /// It is more than is taken.
    TooLarge,
    /// Whoever asks was too slow.
    TooSlow,
    /// Whoever asks, asks too often.
    TooMany,
    /// Not now: somebody else is at it, or too much is under way. The same again may do.
    Busy,
    /// What is needed can not be had at the moment: a node, a registry, a broker. The same again may do.
    Unavailable,
    /// The box or the project is not set up for it: a setting, a permission, a missing library.
    Setup,
    /// A file that is needed is of no use: a plugin, a model, a lock file.
    Unusable,
    /// The disk or the file system refuses.
    Disk,
    /// Content is not what it was.
    Damaged,
    /// It was done, and failed.
    Failed,
    /// A defect of Trackside.
    Bug,
    /// Nothing was refused: something to know.
    Warning,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::BadInput,
        Self::BadFile,
        Self::NotFound,
        Self::Conflict,
        Self::Denied,
        Self::Unauthenticated,
        Self::UnsupportedType,
        Self::TooLarge,
        Self::TooSlow,
        Self::TooMany,
        Self::Busy,
        Self::Unavailable,
        Self::Setup,
        Self::Unusable,
        Self::Disk,
        Self::Damaged,
        Self::Failed,
        Self::Bug,
        Self::Warning,
    ];

    /// Its name, as `docs/errors.md` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadInput => "bad input",
            Self::BadFile => "bad file",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Unauthenticated => "unauthenticated",
            Self::UnsupportedType => "unsupported type",
            Self::TooLarge => "too large",
            Self::TooSlow => "too slow",
            Self::TooMany => "too many",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Setup => "setup",
            Self::Unusable => "unusable",
            Self::Disk => "disk",
            Self::Damaged => "damaged",
            Self::Failed => "failed",
            Self::Bug => "bug",
            Self::Warning => "warning",
        }
    }
}
