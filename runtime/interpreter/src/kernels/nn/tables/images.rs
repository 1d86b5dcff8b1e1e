//! Sizes of images, values between their elements, and boxes on them.

use super::read::{float, text};
use crate::kernel::Inputs;
use crate::kernels::nn::boxes::{NmsSpec, non_max_suppression};
use crate::kernels::nn::grid_sample::{Between, Beyond, GridSpec, grid_sample};
use crate::kernels::nn::plain::{Made, axis_of, misfit, must};
use crate::kernels::nn::resize::{Along, Coordinates, Mode, Nearest, ResizeSpec, nearest, resize};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, between, since};
use crate::unsupported::unsupported;
use crate::value::{Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    since(10, "Resize", sized),
    between(7, 9, "Upsample", sized),
    since(16, "GridSample", sampled),
    since(10, "NonMaxSuppression", best),
];

/// Where a resize finds its sizes.
#[derive(Clone, Debug)]
struct Wanted {
    /// The attribute of the oldest version.
    fixed: Vec<f32>,
    /// The inputs for region, scales and sizes.
    inputs: [Option<usize>; 3],
    axes: Option<Vec<i64>>,
    /// Sizes are bounds: the same scale for all axes, the smallest (or largest) of them.
    larger: Option<bool>,
}

fn sized(node: &Node<'_>) -> Built {
    let (most, inputs) = match node.opset {
        ..9 => (1, [None; 3]),
        9 | 10 => (2, [None, Some(1), None]),
        _ => (4, [Some(1), Some(2), Some(3)]),
    };
    let least = if node.opset > 10 { 1 } else { most };
    node.arity(least, most, 1)?;
    let new = node.opset >= 11;
    let coordinates = match (new, text(node, "coordinate_transformation_mode", "half_pixel")?.as_str()) {
        (false, _) => Coordinates::Asymmetric,
        (_, "half_pixel") => Coordinates::HalfPixel,
        (_, "pytorch_half_pixel") => Coordinates::PytorchHalfPixel,
        (_, "half_pixel_symmetric") => Coordinates::HalfPixelSymmetric,
        (_, "asymmetric") => Coordinates::Asymmetric,
        (_, "align_corners") => Coordinates::AlignCorners,
        (_, "tf_half_pixel_for_nn") => Coordinates::TfHalfPixelForNn,
        // ONNX Runtime and the definition differ in tf_crop_and_resize.
        (_, other) => return unsupported(format!("the coordinates {other:?} are not proved")),
    };
    let nearest_mode = match (new, text(node, "nearest_mode", "round_prefer_floor")?.as_str()) {
        (false, _) => Nearest::Simple,
        (_, "round_prefer_floor") => Nearest::RoundPreferFloor,
        (_, "round_prefer_ceil") => Nearest::RoundPreferCeil,
        (_, "floor") => Nearest::Floor,
        (_, "ceil") => Nearest::Ceil,
        (_, other) => return unsupported(format!("the nearest_mode {other:?} is not known")),
    };
    let (a, exclude) = (float(node, "cubic_coeff_a", -0.75)?, node.flag("exclude_outside")?);
    let mode = match text(node, "mode", "nearest")?.as_str() {
        "nearest" => Mode::Nearest(nearest_mode),
        "linear" | "bilinear" => Mode::Linear,
        "cubic" if new => Mode::Cubic(a, exclude),
        other => return unsupported(format!("the mode {other:?} is not known")),
    };
    if coordinates == Coordinates::HalfPixelSymmetric && matches!(mode, Mode::Nearest(_)) {
        return unsupported("half_pixel_symmetric with the nearest elements depends on rounding that is not proved");
    }
    if node.flag("antialias")? {
        return unsupported("antialias is not proved");
    }
    let larger = match text(node, "keep_aspect_ratio_policy", "stretch")?.as_str() {
        "stretch" => None,
        "not_larger" => Some(false),
        "not_smaller" => Some(true),
        other => return unsupported(format!("the keep_aspect_ratio_policy {other:?} is not known")),
    };
    // Only for the coordinates that are refused.
    node.float("extrapolation_value")?;
    let wanted = Wanted {
        fixed: node.floats("scales")?.unwrap_or_default().to_vec(),
        inputs,
        axes: node.ints("axes")?.map(<[i64]>::to_vec),
        larger,
    };
    if larger.is_some() && wanted.axes.iter().flatten().any(|axis| *axis < 0) {
        return unsupported("keep_aspect_ratio_policy with axes counted from the end is not computed alike everywhere");
    }
    for (input, ty) in inputs.iter().zip([Type::F32, Type::F32, Type::I64]) {
        if let Some(input) = input {
            node.optional(*input, &[ty])?;
        }
    }
    let spec = ResizeSpec { mode, coordinates, axes: Vec::new() };
    let simple = matches!(mode, Mode::Nearest(_));
    macro_rules! of_nearest {
        ($($name:ident $type:ty),+) => {
            match node.ty(0, &[$(Type::$name),+])? {
                $(Type::$name => {
                    Plan::new([Type::$name], move |inputs, run| {
                        let x = inputs.view::<$type>(0)?;
                        let spec = ResizeSpec { axes: along(&wanted, inputs, x.shape)?, ..spec.clone() };
                        Ok(vec![Value::of(nearest(run.room, x, &spec)?)])
                    })
                })+
                _ => Plan::new([Type::F32], move |_, _| Ok(Vec::new())),
            }
        };
    }
    if simple && node.ty(0, &[Type::F32, Type::I32, Type::I8, Type::U8])? != Type::F32 {
        return of_nearest!(I32 i32, I8 i8, U8 u8);
    }
    node.ty(0, &[Type::F32])?;
    Plan::new([Type::F32], move |inputs, run| {
        let x = inputs.view::<f32>(0)?;
        let spec = ResizeSpec { axes: along(&wanted, inputs, x.shape)?, ..spec.clone() };
        if !simple {
            let changed =
                spec.axes.iter().zip(x.shape).filter(|(along, size)| along.scale != 1.0 || along.size != **size);
            let most = if matches!(spec.mode, Mode::Cubic(..)) { 2 } else { 3 };
            must!(changed.count() <= most, "more than {most} axes can not be resized in this mode");
        }
        Ok(vec![Value::of(resize(run.room, x, &spec)?)])
    })
}

/// What happens along each axis.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes as ONNX Runtime computes them, in float32; checked before they are used"
)]
fn along(wanted: &Wanted, inputs: &Inputs<'_>, shape: &[usize]) -> Made<Vec<Along>> {
    let rank = shape.len();
    let axes: Vec<usize> = match &wanted.axes {
        None => (0..rank).collect(),
        Some(axes) => axes.iter().map(|axis| axis_of(*axis, rank)).collect::<Made<_>>()?,
    };
    let mut along: Vec<Along> = shape.iter().map(|size| Along { size: *size, scale: 1.0 }).collect();
    let [_, scales, sizes] = wanted.inputs;
    let list = |input: Option<usize>| -> Made<Vec<f32>> {
        let view = input.map_or(Ok(None), |input| inputs.optional_view::<f32>(input))?;
        Ok(view.map_or_else(Vec::new, |view| view.data.to_vec()))
    };
    let scales = if wanted.fixed.is_empty() { list(scales)? } else { wanted.fixed.clone() };
    let sizes = sizes.map_or(Ok(None), |input| inputs.optional_view::<i64>(input))?;
    let sizes = sizes.map_or(&[][..], |view| view.data);
    if scales.is_empty() == sizes.is_empty() {
        return misfit("either scales or sizes must be given, and not both");
    }
    must!(
        scales.len() + sizes.len() == axes.len(),
        "{} scales do not fit {} axes",
        scales.len() + sizes.len(),
        axes.len()
    );
    for (axis, scale) in axes.iter().zip(&scales) {
        must!(*scale > 0.0 && scale.is_finite(), "a scale of {scale} is none");
        let size = (*scale * shape[*axis] as f32).floor();
        must!(size < 16_777_216.0, "an axis of {size} elements is beyond what is computed");
        along[*axis].scale = *scale;
        along[*axis].size = size as usize;
    }
    for (axis, size) in axes.iter().zip(sizes) {
        let size = usize::try_from(*size).ok().filter(|size| *size < 1 << 24);
        let Some(size) = size else { return misfit("a size is none, or beyond what is computed") };
        must!(shape[*axis] > 0 || size == 0, "an empty axis can not be resized to {size} elements");
        along[*axis].size = size;
        along[*axis].scale = if shape[*axis] == size { 1.0 } else { size as f32 / shape[*axis] as f32 };
    }
    if let Some(larger) = wanted.larger
        && !sizes.is_empty()
    {
        let scales = axes.iter().map(|axis| along[*axis].scale);
        let one = if larger { scales.fold(f32::MIN, f32::max) } else { scales.fold(f32::MAX, f32::min) };
        for axis in &axes {
            along[*axis].scale = one;
            along[*axis].size = (one * shape[*axis] as f32).round() as usize;
        }
    }
    Ok(along)
}

fn sampled(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    node.one_type(&[Type::F32])?;
    let between = match text(node, "mode", if node.opset < 20 { "bilinear" } else { "linear" })?.as_str() {
        "bilinear" | "linear" => Between::Linear,
        "nearest" => Between::Nearest,
        "bicubic" | "cubic" => Between::Cubic,
        other => return unsupported(format!("the mode {other:?} is not known")),
    };
    let beyond = match text(node, "padding_mode", "zeros")?.as_str() {
        "zeros" => Beyond::Zeros,
        "border" => Beyond::Border,
        "reflection" => Beyond::Reflection,
        other => return unsupported(format!("the padding_mode {other:?} is not known")),
    };
    let spec = GridSpec { between, beyond, align_corners: node.flag("align_corners")? };
    Plan::new([Type::F32], move |inputs, run| {
        Ok(vec![Value::of(grid_sample(run.room, inputs.view(0)?, inputs.view(1)?, spec)?)])
    })
}

fn best(node: &Node<'_>) -> Built {
    node.arity(2, 5, 1)?;
    for (input, ty) in [(0, Type::F32), (1, Type::F32), (2, Type::I64), (3, Type::F32), (4, Type::F32)] {
        node.optional(input, &[ty])?;
    }
    let centred = node.flag("center_point_box")?;
    Plan::new([Type::I64], move |inputs, run| {
        let one = |input: usize| -> Made<Option<f32>> {
            inputs.optional_view::<f32>(input)?.map(|view| view.one("a threshold")).transpose()
        };
        let most = inputs.optional_view::<i64>(2)?.map(|view| view.one("the number of boxes")).transpose()?;
        let spec = NmsSpec {
            centred,
            most: usize::try_from(most.unwrap_or(0)).unwrap_or(0),
            overlap: one(3)?.unwrap_or(0.0),
            least_score: one(4)?,
        };
        Ok(vec![Value::of(non_max_suppression(run.room, inputs.view(0)?, inputs.view(1)?, spec)?)])
    })
}
