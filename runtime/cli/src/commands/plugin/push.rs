//! `trackside plugin push`

use std::{collections::BTreeMap, path::PathBuf};
use trackside_codes::code;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::json;
use trackside_packages::{RegistryError, WasmConfig};
use trackside_spec::{Digest, OciReference};

use super::{
    fetch::{client, read_file},
    sign::signing_key,
};
use crate::{
    context::{Context, plugins_of, runtime},
    failure::{Exit, Failure},
    output::bytes,
};

/// Publish a plugin in a registry
///
/// In the layout that wkg and oras use, so that those can fetch it too. It is loaded first: what does not load is not
/// published.
#[derive(Debug, Args)]
pub struct Push {
    /// The component (.wasm)
    file: PathBuf,
    /// Where to: oci://host/repository:tag
    #[arg(value_name = "REF")]
    reference: OciReference,
    /// Sign it there with this private key (PEM), in cosign's layout
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Publishes it.
pub fn execute(context: &Context, push: &Push) -> Result<(), Failure> {
    let Push { file, reference, key } = push;
    if reference.digest.is_some() {
        return Err(Failure::new(
            code!("TS-0641"),
            format!("{reference} has a digest; push to a tag: the digest comes of it"),
        ));
    }
    let project = context.any_project()?;
    let key = key.as_deref().map(signing_key).transpose()?;
    let component = read_file(file)?;
    let (plugins, _temp) = plugins_of(&project)?;
    let sandbox = plugins.sandbox()?;
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("plugin");
    let plugin = sandbox.load(&component, stem).map_err(|error| Failure::ended_by(Exit::Bad, &error))?;
    let about = plugin.descriptor();
    let annotation = |key: &str, value: &str| (format!("org.opencontainers.image.{key}"), value.to_owned());
    let annotations = BTreeMap::from([
        annotation("title", &format!("{stem}.wasm")),
        annotation("version", &about.version),
        annotation("description", &about.summary),
    ]);
    let digest = Digest::of(&component);
    let is_module = component.get(4..8) == Some(&[1, 0, 0, 0]);
    let config =
        if is_module { WasmConfig::module(digest, created()) } else { WasmConfig::component(digest, created()) };
    let client = client(&project, reference)?;
    let size = component.len() as u64;
    context.console.say(&format!("pushing {} to {reference}", bytes(size)));
    let pushed = runtime()?.block_on(async {
        let pushed = client.push(reference, component, &config, annotations).await?;
        if let Some(key) = &key {
            client.sign(reference, pushed.manifest_digest, key).await?;
        }
        Ok::<_, RegistryError>(pushed)
    })?;
    let exact = OciReference { tag: None, ..reference.at(pushed.manifest_digest) };
    let console = context.console;
    if console.json {
        return console.print_json(&json!({
            "reference": exact,
            "digest": pushed.digest,
            "size": size,
            "signature": key.map(|key| key.public().id()),
        }));
    }
    console.print(&exact.to_string())
}

/// When it is made: now, or as whoever builds reproducibly says.
fn created() -> String {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let time = said.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).unwrap_or_else(Utc::now);
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
