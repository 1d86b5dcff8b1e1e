//! The contract in `wit/` as Rust types and traits, generated.
//!
//! Only calls that may wait (disk, network, model, store) are `async`: the others run on the caller's stack without a
//! future being made for each.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "trackside:plugin/plugin",
    imports: {
        "trackside:plugin/artifacts.[method]reader.read": async | trappable,
        "trackside:plugin/artifacts.[method]artifact.open": async | trappable,
        "trackside:plugin/artifacts.[method]artifact.open-range": async | trappable,
        "trackside:plugin/artifacts.[method]artifact.read-at": async | trappable,
        "trackside:plugin/artifacts.[method]artifact-writer.write": async | trappable,
        "trackside:plugin/artifacts.[method]artifact-writer.splice-from": async | trappable,
        "trackside:plugin/artifacts.[method]artifact-writer.commit": async | trappable,
        "trackside:plugin/inference.[static]tensor.from-artifact": async | trappable,
        "trackside:plugin/inference.[static]model.open": async | trappable,
        "trackside:plugin/inference.[method]model.run": async | trappable,
        "trackside:plugin/secrets.[static]secret.open": async | trappable,
        "trackside:plugin/state.get": async | trappable,
        "trackside:plugin/state.compare-and-set": async | trappable,
        "trackside:plugin/state.list-keys": async | trappable,
        "trackside:plugin/http.send": async | trappable,
        "trackside:plugin/http.send-artifact": async | trappable,
        "trackside:plugin/http.[method]response.read": async | trappable,
        "trackside:plugin/http.[method]response.save-to": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "trackside:plugin/artifacts.artifact": crate::host::artifacts::Artifact,
        "trackside:plugin/artifacts.reader": crate::host::artifacts::Reader,
        "trackside:plugin/artifacts.artifact-writer": crate::host::writer::Writer,
        "trackside:plugin/inference.tensor": crate::host::inference::Tensor,
        "trackside:plugin/inference.model": crate::host::inference::Model,
        "trackside:plugin/telemetry.span": crate::host::OpenSpan,
        "trackside:plugin/secrets.secret": crate::host::secrets::Secret,
        "trackside:plugin/http.response": crate::host::Response,
    },
    require_store_data_send: true,
});
