//! Tensors of cells as the product has them, and back.

use trackside_spec::{ElementType, Tensor};

use crate::archive;

/// A cell's tensor for an engine.
pub fn to_spec(tensor: &archive::Tensor) -> Tensor {
    let element: ElementType = serde_json::from_value(tensor.r#type.clone().into()).expect("a type");
    let made = match element {
        ElementType::Text => Tensor::from_text(tensor.shape.clone(), tensor.text.clone()),
        _ => Tensor::from_bytes(element, tensor.shape.clone(), tensor.data.clone()),
    };
    made.expect("a tensor")
}

/// What an engine gave.
pub fn of_spec(name: &str, tensor: &Tensor) -> archive::Tensor {
    let (data, text) = (tensor.data().to_vec(), tensor.text().to_vec());
    archive::Tensor::new(name, tensor.element().name(), tensor.shape().to_vec(), data, text)
}
