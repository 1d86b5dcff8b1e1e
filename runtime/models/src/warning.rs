//! What may make a model's numbers wrong on this box, though it was loaded and passed its self-test.

use serde::{Serialize, Serializer};
use trackside_codes::{Code, code};
use trackside_spec::config::Provider;

use crate::engines::{EngineId, EngineKind};
use crate::onnx::Products;

/// Something about a loaded model that people should hear of before they rely on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its code.
    #[serde(serialize_with = "shown")]
    pub code: Code,
    /// What it is and what to do.
    pub text: String,
}

impl Warning {
    /// Of what was wanted to compute a model and does not.
    pub(crate) fn not_used(provider: Provider, why: &str) -> Self {
        let name = provider.name();
        let text = format!(
            "`{name}` of `providers` computes nothing of it, and the processor does all: {why}. Take an ONNX Runtime that has it (`[engine] \
             onnxruntime`), or take `{name}` out"
        );
        Self { code: code!("TS-0546"), text }
    }
}

fn shown<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

/// What is to be said of products of uint8 and int8 on ONNX Runtime and a processor without VNNI: a caveat where they are
/// exact and slower, a warning where they are not.
pub(crate) fn saturation(products: &Products, constants_are_exact: bool) -> (Option<String>, Option<Warning>) {
    let (exact, wrong) = if constants_are_exact {
        (products.constant.as_slice(), products.open.clone())
    } else {
        (&[][..], products.constant.iter().chain(&products.open).cloned().collect())
    };
    let caveat = (!exact.is_empty()).then(|| {
        let named = Products::named(exact);
        format!(
            "{named}: this processor has no VNNI, so ONNX Runtime multiplies their int8 weights as uint8: exact, and \
             slower than on one that has it"
        )
    });
    let warning = (!wrong.is_empty()).then(|| {
        let named = Products::named(&wrong);
        let text = format!(
            "ONNX Runtime computes uint8 times int8 wrongly on a processor without VNNI, as this one is: sums beyond 16 \
             bits are cut off without a word. It concerns {named}. Quantise the weights with reduce_range=True (7 bits), or \
             as uint8, or let the built-in engine run the model"
        );
        Warning { code: code!("TS-0544"), text }
    });
    (caveat, warning)
}

/// What is to be said when a sample's outputs were not made on the engine that has just given the same ones.
pub(crate) fn made_elsewhere(made_on: Option<&str>, engine: &EngineId) -> Option<Warning> {
    let text = match made_on {
        Some(made_on) if made_on == engine.to_string() => return None,
        Some(made_on) => format!(
            "the golden vectors in its self-test file were made on {made_on}, and on this box it runs on {engine}: the \
             self-test passed, other inputs may give other numbers. Say engine = \"{}\" for the model or `engine:` at the \
             step, or make the file on this engine: `trackside model predict … --selftest FILE`",
            made_on.split_whitespace().next().unwrap_or_default()
        ),
        None => format!(
            "its self-test file does not say on which engine its golden vectors were made (`engine` in the file's metadata, \
             as \"{engine}\"). `trackside model predict … --selftest FILE` writes one that does"
        ),
    };
    Some(Warning { code: code!("TS-0543"), text })
}

/// The first version of ONNX Runtime whose reader of model files has no known error of memory.
const MENDED: [u32; 3] = [1, 30, 1];

/// What is to be said of an ONNX Runtime that a model file may harm.
pub(crate) fn outdated(engine: &EngineId) -> Option<Warning> {
    if engine.kind != EngineKind::OnnxRuntime {
        return None;
    }
    let mut parts = engine.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = [(); 3].map(|()| parts.next().unwrap_or(0));
    if version >= MENDED || version == [0; 3] {
        return None;
    }
    let text = format!(
        "ONNX Runtime before {}.{}.{} has errors of memory in what reads model files, which a file that somebody made for it \
         may use. Run models that you do not trust on the built-in engine, or install a newer version: \
         `trackside engine install`",
        MENDED[0], MENDED[1], MENDED[2]
    );
    Some(Warning { code: code!("TS-0545"), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_the_mended_one_are_told() {
        let told =
            |kind, version: &str| outdated(&EngineId { kind, version: version.to_owned(), origin: None }).is_some();
        for (version, expected) in [
            ("1.24.4", true),
            ("1.30.0", true),
            ("1.30.1", false),
            ("1.31.1", false),
            ("1.32.0", false),
            ("2.0", false),
            ("1.9.10", true),
            ("unknown", false),
        ] {
            assert_eq!(told(EngineKind::OnnxRuntime, version), expected, "{version}");
        }
        assert!(!told(EngineKind::Rten, "0.27.0"));
    }
}
