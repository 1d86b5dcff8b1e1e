//! The kernels of neural networks, as functions on dense tensors; `tables` says which operators they are.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod boxes;
pub(crate) mod conv;
pub(crate) mod conv_integer;
pub(crate) mod conv_transpose;
pub(crate) mod einsum;
pub(crate) mod gemm;
pub(crate) mod grid_sample;
pub(crate) mod integer;
pub(crate) mod layer_norm;
pub(crate) mod matmul;
pub(crate) mod nbits;
pub(crate) mod norm;
pub(crate) mod plain;
pub(crate) mod pool;
pub(crate) mod quantize;
pub(crate) mod rearrange;
pub(crate) mod recurrent;
pub(crate) mod resize;
pub(crate) mod rotary;
pub(crate) mod spectrum;
pub(crate) mod tables;
pub(crate) mod window;
