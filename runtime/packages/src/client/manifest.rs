//! What a registry keeps about a component: the OCI image manifest, in the layout that wkg and oras use for
//! WebAssembly, and what else it may look like.

use std::collections::BTreeMap;
use trackside_codes::{Class, Reason};

use serde::{Deserialize, Serialize};
use trackside_spec::Digest;

/// Largest manifest. Registries take up to 4 MiB; one of a component has less than a kilobyte.
pub(crate) const LIMIT: u64 = 1 << 20;
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json";
pub(super) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(super) const WASM_LAYER: &str = "application/wasm";
/// The names that earlier tools gave to the same thing.
const WASM_LAYERS: [&str; 4] = [
    WASM_LAYER,
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];
/// Most layers that are looked at.
const LAYERS: usize = 64;

/// An image manifest, as far as it matters here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Blob>,
    #[serde(default)]
    pub(crate) layers: Vec<Blob>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What the image spec calls a descriptor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Blob {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Blob {
    pub(super) fn of(media_type: &str, bytes: &[u8]) -> Self {
        let size = bytes.len() as u64;
        Self { media_type: media_type.to_owned(), digest: Digest::of(bytes), size, annotations: BTreeMap::new() }
    }
}

impl Manifest {
    pub(super) fn new(config: Blob, layers: Vec<Blob>, annotations: BTreeMap<String, String>) -> Self {
        let media_type = Some(OCI_MANIFEST.to_owned());
        Self { schema_version: 2, media_type, artifact_type: None, config: Some(config), layers, annotations }
    }

    /// Reads one. The error is a sentence.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Reason> {
        if bytes.len() as u64 > LIMIT {
            return Err(format!("its manifest is larger than {LIMIT} bytes").into());
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| {
            Reason::by(Class::BadInput, error).told(|text| format!("its manifest can not be read: {text}"))
        })?;
        let media_type = manifest.media_type.as_deref().unwrap_or(OCI_MANIFEST);
        if media_type == OCI_INDEX || media_type == DOCKER_LIST {
            return Err("it is an index of several manifests; name one of them by its digest".into());
        }
        if manifest.schema_version != 2 || !(media_type == OCI_MANIFEST || media_type == DOCKER_MANIFEST) {
            return Err(format!("its manifest is of another kind: {}", crate::error::one_line(media_type)).into());
        }
        if manifest.layers.len() > LAYERS {
            return Err(format!("it has {} layers", manifest.layers.len()).into());
        }
        Ok(manifest)
    }

    /// The layer that is the component. The error is a sentence.
    pub(crate) fn component(&self) -> Result<&Blob, Reason> {
        let mut typed = self.layers.iter().filter(|layer| WASM_LAYERS.contains(&layer.media_type.as_str()));
        match (typed.next(), typed.next(), self.layers.as_slice()) {
            (Some(layer), None, _) => Ok(layer),
            (Some(_), Some(_), _) => Err("it has several WebAssembly layers".into()),
            // A plain artifact: one file of whatever type its pusher gave it; oras calls everything a tar that it is told
            // nothing about. What it is shows when it is loaded.
            (None, _, [layer]) if !is_packed(&layer.media_type) => Ok(layer),
            (None, _, [layer]) => {
                let kind = crate::error::one_line(&layer.media_type);
                Err(format!("its only layer is {kind}, which is how container images are packed").into())
            }
            (None, _, layers) => {
                Err(format!("it has {} layers and none of the type {WASM_LAYER}", layers.len()).into())
            }
        }
    }
}

/// The annotation with which oras and others name a file.
const TITLE: &str = "org.opencontainers.image.title";
/// The one of the CNCF's model format.
const FILE_PATH: &str = "org.cncf.model.filepath";
/// What oras marks a folder with that it has packed.
const UNPACK: &str = "io.deis.oras.content.unpack";
/// The types of the CNCF's model format.
const MODEL_FORMAT: &str = "application/vnd.cncf.model.";
/// What a file without a name is called.
const NAMELESS: &str = "model.onnx";

impl Manifest {
    /// The layers as files of a model, each with its name. The names are whatever somebody has written there. The error is a sentence.
    pub(crate) fn files(&self) -> Result<Vec<(&str, &Blob)>, Reason> {
        let is_one = self.layers.len() == 1;
        let mut files: Vec<(&str, &Blob)> = Vec::new();
        for layer in &self.layers {
            let (kind, said) = (&layer.media_type, &layer.annotations);
            let is_folder = said.get(UNPACK).is_some_and(|text| text == "true")
                || (kind.starts_with(MODEL_FORMAT) && kind.ends_with(".tar"));
            if is_folder || is_packed(kind) {
                let kind = crate::error::one_line(kind);
                return Err(
                    format!("a layer of it is a packed folder ({kind}), and models are taken file by file").into()
                );
            }
            let name = said.get(TITLE).or_else(|| said.get(FILE_PATH)).map(String::as_str);
            let Some(name) = name.or_else(|| is_one.then_some(NAMELESS)) else {
                return Err("one of its layers has no name".into());
            };
            if files.iter().any(|(known, _)| *known == name) {
                return Err(format!("two of its layers are called {}", crate::error::one_line(name)).into());
            }
            files.push((name, layer));
        }
        if files.is_empty() { Err("it has no layers".into()) } else { Ok(files) }
    }
}

/// Whether a layer of this type is compressed.
fn is_packed(media_type: &str) -> bool {
    ["gzip", "zstd"].iter().any(|mark| media_type.contains(mark))
}

/// The config of a component as the OCI layout for WebAssembly has it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WasmConfig {
    created: String,
    architecture: &'static str,
    os: &'static str,
    layer_digests: Vec<Digest>,
}

impl WasmConfig {
    /// Of a component. `created` is RFC 3339.
    #[must_use]
    pub fn component(digest: Digest, created: String) -> Self {
        Self { created, architecture: "wasm", os: "wasip2", layer_digests: vec![digest] }
    }

    /// Of a core module: a WASI command of preview 1. `created` is RFC 3339.
    #[must_use]
    pub fn module(digest: Digest, created: String) -> Self {
        Self { os: "wasip1", ..Self::component(digest, created) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn layers(types: &[&str]) -> Vec<u8> {
        let layers: Vec<_> =
            types.iter().map(|kind| json!({ "mediaType": kind, "digest": DIGEST, "size": 3 })).collect();
        let config = json!({ "mediaType": WASM_CONFIG, "digest": DIGEST, "size": 2 });
        serde_json::to_vec(&json!({ "schemaVersion": 2, "config": config, "layers": layers })).unwrap()
    }

    fn component(bytes: &[u8]) -> Result<String, Reason> {
        Ok(Manifest::parse(bytes)?.component()?.media_type.clone())
    }

    #[test]
    fn the_layer_of_every_usual_layout_is_found() {
        for types in [
            &["application/wasm"][..],
            &["application/wasm", "text/plain"],
            &["application/octet-stream"],
            &["application/vnd.oci.image.layer.v1.tar"],
        ] {
            assert_eq!(component(&layers(types)).unwrap(), types[0]);
        }
    }

    #[test]
    fn a_models_files_have_the_names_that_tools_gave_them() {
        let layer = |kind: &str, key: &str, name: &str| json!({ "mediaType": kind, "digest": DIGEST, "size": 3, "annotations": { key: name } });
        let read = |layers: &[serde_json::Value]| {
            let bytes = serde_json::to_vec(&json!({ "schemaVersion": 2, "layers": layers })).unwrap();
            let manifest = Manifest::parse(&bytes)?;
            let files = manifest.files()?;
            Ok::<_, Reason>(files.into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>())
        };
        let (tar, weight) = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.cncf.model.weight.v1");
        let (oras, other) = (layer(tar, TITLE, "a.onnx"), layer(&format!("{weight}.raw"), FILE_PATH, "w/a.data"));
        assert_eq!(read(&[oras.clone(), other]).unwrap(), ["a.onnx", "w/a.data"]);
        let nameless = json!({ "mediaType": tar, "digest": DIGEST, "size": 3 });
        assert_eq!(read(std::slice::from_ref(&nameless)).unwrap(), [NAMELESS]);
        for (layers, words) in [
            (vec![], "no layers"),
            (vec![oras.clone(), nameless], "has no name"),
            (vec![oras.clone(), oras], "called a.onnx"),
            (vec![layer(tar, UNPACK, "true")], "packed folder"),
            (vec![layer(&format!("{weight}.tar"), FILE_PATH, "w")], "packed folder"),
            (vec![layer("application/vnd.oci.image.layer.v1.tar+gzip", TITLE, "w")], "packed folder"),
        ] {
            let error = read(&layers).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn what_is_no_component_is_refused_in_words() {
        let cases: [(Vec<u8>, &str); 8] = [
            (layers(&["application/vnd.oci.image.layer.v1.tar+gzip"]), "container images"),
            (layers(&["a/b", "c/d"]), "2 layers"),
            (layers(&["application/wasm", "application/wasm"]), "several"),
            (layers(&[]), "0 layers"),
            (layers(&["a/b"; 65]), "65 layers"),
            (
                serde_json::to_vec(&json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] })).unwrap(),
                "index",
            ),
            (serde_json::to_vec(&json!({ "schemaVersion": 1, "fsLayers": [] })).unwrap(), "another kind"),
            (b"<html>".to_vec(), "can not be read"),
        ];
        for (bytes, words) in cases {
            let error = component(&bytes).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(Manifest::parse(&vec![b' '; LIMIT as usize + 1]).unwrap_err().to_string().contains("larger"));
        assert!(Manifest::parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
