//! How a plugin is declared and exported.

use serde::de::DeserializeOwned;

use crate::{Descriptor, IntoOutcome, Outcome, Step, StepError, host::context};

/// What [`crate::plugin!`] implements for a unit struct named `Plugin`.
pub trait Plugin {
    /// What the plugin says about itself.
    fn describe() -> Descriptor;

    /// One attempt: reads the input from the host, gives the output as JSON text.
    ///
    /// # Errors
    /// What the author's function returns; `bad-input` when the input document does not fit its type.
    fn run() -> Result<Outcome<String>, StepError>;
}

/// Reads the input document and calls the author's function. Used by [`crate::plugin!`].
///
/// # Errors
/// As [`Plugin::run`].
pub fn call<I, O, Kind>(run: impl FnOnce(I, &Step) -> Result<O, StepError>) -> Result<Outcome<String>, StepError>
where
    I: DeserializeOwned,
    O: IntoOutcome<Kind>,
{
    let input = serde_json::from_str(&context::input_json())
        .map_err(|error| StepError::fatal("bad-input", format!("input: {error}")))?;
    run(input, &Step::new())?.into_outcome()
}

/// Declares a plugin and exports it. Keys stand in this order; those in brackets may be left out.
///
/// | Key | Meaning |
/// |---|---|
/// | `name:` | the plugin's name |
/// | `summary:` | one line |
/// | \[`docs:`\] | the manual in Markdown, for example `include_str!("../README.md")` |
/// | `input_schema:` | JSON Schema text of the input document |
/// | `output_schema:` | JSON Schema text of the output document |
/// | \[`inputs:`\] | `[Port::new(…), …]`, artifacts that it reads |
/// | \[`outputs:`\] | `[Port::new(…), …]`, artifacts that it writes |
/// | \[`wants:`\] | `[Want::new(…), …]`, grants that it asks for |
/// | `deterministic:` | whether equal inputs give equal outputs |
/// | `run:` | the function: `fn(Input, &Step) -> Result<Output, StepError>` |
///
/// The version is the crate's. The macro defines a unit struct `Plugin` that tests hand to
/// [`crate::testing::TestHost::run`].
#[macro_export]
macro_rules! plugin {
    (
        name: $name:expr,
        summary: $summary:expr,
        $(docs: $docs:expr,)?
        input_schema: $input_schema:expr,
        output_schema: $output_schema:expr,
        $(inputs: [$($input:expr),* $(,)?],)?
        $(outputs: [$($output:expr),* $(,)?],)?
        $(wants: [$($want:expr),* $(,)?],)?
        deterministic: $deterministic:expr,
        run: $run:expr $(,)?
    ) => {
        /// The plugin, as the host and tests see it.
        pub struct Plugin;

        impl $crate::Plugin for Plugin {
            fn describe() -> $crate::Descriptor {
                $crate::Descriptor {
                    name: ::std::string::String::from($name),
                    version: ::std::string::String::from(::std::env!("CARGO_PKG_VERSION")),
                    summary: ::std::string::String::from($summary),
                    docs_markdown: ::std::string::String::new() $(+ $docs)?,
                    input_schema: ::std::string::String::from($input_schema),
                    output_schema: ::std::string::String::from($output_schema),
                    inputs: ::std::vec![$($($input),*)?],
                    outputs: ::std::vec![$($($output),*)?],
                    wants: ::std::vec![$($($want),*)?],
                    deterministic: $deterministic,
                }
            }

            fn run() -> ::std::result::Result<$crate::Outcome<::std::string::String>, $crate::StepError> {
                $crate::plugin::call($run)
            }
        }

        $crate::export_plugin!(Plugin);
    };
}

/// Exports a type that implements [`Plugin`] by hand; [`crate::plugin!`] does it already.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ident) => {
        const _: () = {
            struct Component;

            impl $crate::bindings::exports::trackside::plugin::describe::Guest for Component {
                fn describe() -> $crate::bindings::exports::trackside::plugin::describe::Descriptor {
                    $crate::plugin::wasm::describe::<$plugin>()
                }
            }

            impl $crate::bindings::exports::trackside::plugin::step::Guest for Component {
                fn run() -> ::std::result::Result<
                    $crate::bindings::exports::trackside::plugin::step::Outcome,
                    $crate::bindings::exports::trackside::plugin::step::StepError,
                > {
                    $crate::plugin::wasm::run::<$plugin>()
                }
            }

    $crate::bindings::__export_component!(Component with_types_in $crate::bindings);
        };
    };
}

/// Exports a type that implements [`Plugin`] by hand; [`crate::plugin!`] does it already. Does nothing on targets that
/// are no component.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ident) => {};
}

/// Between the contract's types and the SDK's own.
#[cfg(target_family = "wasm")]
pub mod wasm {
    use super::Plugin;
    use crate::{
        Outcome, Port, StepError, Want,
        bindings::{
            exports::trackside::plugin::{describe as wit, step},
            trackside::plugin::common,
        },
        telemetry::{self, Level},
    };

    /// `describe.describe`.
    #[must_use]
    pub fn describe<P: Plugin>() -> wit::Descriptor {
        let descriptor = P::describe();
        wit::Descriptor {
            name: descriptor.name,
            version: descriptor.version,
            summary: descriptor.summary,
            docs_markdown: descriptor.docs_markdown,
            input_schema: descriptor.input_schema,
            output_schema: descriptor.output_schema,
            inputs: descriptor.inputs.into_iter().map(port).collect(),
            outputs: descriptor.outputs.into_iter().map(port).collect(),
            wants: descriptor.wants.into_iter().map(want).collect(),
            deterministic: descriptor.deterministic,
            extra: Vec::new(),
        }
    }

    fn port(port: Port) -> wit::ArtifactPort {
        wit::ArtifactPort {
            name: port.name,
            description: port.description,
            media_types: port.media_types,
            required: port.required,
            many: port.many,
        }
    }

    fn want(want: Want) -> wit::Capability {
        wit::Capability { kind: want.kind, value: want.value, reason: want.reason, optional: want.optional }
    }

    /// `step.run`.
    ///
    /// # Errors
    /// As [`Plugin::run`].
    pub fn run<P: Plugin>() -> Result<step::Outcome, common::StepError> {
        std::panic::set_hook(Box::new(report_panic));
        match P::run() {
            Ok(Outcome::Done(json)) => Ok(step::Outcome::Done(json)),
            Ok(Outcome::Skipped(reason)) => Ok(step::Outcome::Skipped(reason)),
            Err(error) => Err(to_wit(&error)),
        }
    }

    fn to_wit(error: &StepError) -> common::StepError {
        common::StepError {
            kind: if error.is_retryable() { common::ErrorKind::Retryable } else { common::ErrorKind::Fatal },
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            retry_after_ms: error.wait().map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
            extra: error.details().to_vec(),
        }
    }

    /// A panic ends in a bare `unreachable` trap, so its text must leave before: on stderr in the form of the standard
    /// library (`panicked at PLACE:` and the message on the next line), which the host reads, and in the step's log.
    fn report_panic(info: &std::panic::PanicHookInfo<'_>) {
        let message = info.payload_as_str().unwrap_or("(a panic without a text)");
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        eprintln!("panicked at {place}:\n{message}");
        telemetry::log(Level::Error, &format!("panicked at {place}: {message}"), &[]);
    }
}
