//! Bindings generated from the contract.

/// Generated: the unsafe code in it is the calling convention of components.
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "trackside:plugin/plugin",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "__export_component",
        default_bindings_module: "trackside_sdk::bindings",
    });
}
