"""Resize and its kind, boxes."""

import itertools

import numpy as np

from .cells import one, opsets, pick, types
from .values import plain, whole

MODES = ["nearest", "linear", "cubic"]
COORDINATES = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "tf_crop_and_resize", "half_pixel_symmetric"]
ROUNDINGS = [None, "floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]
FORMS = [
    ((1, 1, 4, 4), [1, 1, 2, 2], None), ((1, 1, 4, 4), [1, 1, 0.6, 0.6], None), ((1, 1, 4, 4), None, [1, 1, 7, 3]), ((1, 2, 3, 5), [1, 1, 1.5, 2.5], None),
    ((1, 1, 2, 2), None, [1, 1, 3, 3]), ((1, 1, 4, 4), None, [1, 1, 1, 1]), ((2, 2, 5), None, [2, 2, 8]), ((4, 4), None, [7, 2]), ((1, 1, 3, 3, 3), None, [1, 1, 5, 4, 6]),
]  # fmt: skip


def resize():
    for opset in opsets("Resize"):
        if opset < 11:
            for mode, (place, (shape, scales, _)) in itertools.product(MODES[:2], enumerate(FORMS)):
                if scales:
                    for operator in ("Resize", "Upsample"):
                        if operator == "Upsample" and min(scales) < 1:
                            continue
                        inputs = [plain("float32", shape, f"{place}"), np.array(scales, np.float32)]
                        yield one(operator, f"{mode}-{place}", inputs, 10 if operator == "Resize" else 9, consts=[1], mode=mode)
            continue
        for kind in types("Resize", opset, "T1"):
            cases = list(itertools.product(MODES, COORDINATES, enumerate(FORMS)))
            for mode, coordinate, (place, (shape, scales, sizes)) in pick(cases, 90 if kind == "float32" else 8, f"resize{opset}{kind}"):
                if coordinate == "half_pixel_symmetric" and opset < 19:
                    continue
                if mode == "cubic" and len(shape) != 4:
                    continue
                key = f"{kind}-{mode}-{coordinate}-{place}"
                roi = None
                if coordinate == "tf_crop_and_resize":
                    rank = len(shape)
                    roi = np.array([0.0] * (rank - 1) + [0.2] + [1.0] * (rank - 1) + [0.9], np.float32)
                elif opset < 13:
                    roi = np.array([], np.float32)
                inputs = [plain(kind, shape, key), roi, np.array(scales or [], np.float32) if scales or opset < 13 else None, whole(sizes) if sizes else None]
                while inputs[-1] is None:
                    inputs.pop()
                more = {}
                if mode == "nearest":
                    more["nearest_mode"] = pick(ROUNDINGS, 1, key)[0]
                if mode == "cubic":
                    more["cubic_coeff_a"] = pick([None, -0.5], 1, key)[0]
                    more["exclude_outside"] = pick([None, 1], 1, key + "x")[0]
                if coordinate == "tf_crop_and_resize":
                    more["extrapolation_value"] = 3.0
                yield one("Resize", key, inputs, opset, consts=[2, 3], mode=mode, coordinate_transformation_mode=coordinate, **more)
        if opset >= 18:
            x = plain("float32", (1, 1, 4, 5), "axes")
            yield one("Resize", "axes", [x, None, np.float32([2, 0.5])], opset, consts=[2], axes=[2, 3], mode="linear")
            for policy in ("not_larger", "not_smaller", "stretch"):
                yield one("Resize", policy, [x, None, None, whole([7, 8])], opset, consts=[3], axes=[2, 3], keep_aspect_ratio_policy=policy)
            for mode in ("linear", "cubic"):
                yield one("Resize", f"antialias-{mode}", [x, None, np.float32([0.6, 0.6])], opset, consts=[2], axes=[2, 3], mode=mode, antialias=1)


def sampling():
    for opset in opsets("GridSample"):
        for kind in types("GridSample", opset, "T1"):
            old = opset < 20
            for mode in ("bilinear", "nearest", "bicubic") if old else ("linear", "nearest", "cubic"):
                for padding in ("zeros", "border", "reflection"):
                    for corners in (0, 1):
                        key = f"{kind}-{mode}-{padding}-{corners}"
                        grid = np.clip(plain("float32", (1, 3, 4, 2), key), -1.6, 1.6)
                        yield one("GridSample", key, [plain(kind, (1, 2, 4, 5), key), grid], opset, mode=mode, padding_mode=padding, align_corners=corners)
    for opset in opsets("AffineGrid"):
        for corners in (0, 1):
            yield one("AffineGrid", f"{corners}", [plain("float32", (1, 2, 3), "ag"), whole([1, 1, 3, 4])], opset, align_corners=corners)
    for opset in opsets("RoiAlign"):
        rois = np.array([[0, 0, 3, 3], [1, 1, 5, 4]], np.float32)
        for mode in ("avg", "max"):
            for coordinate in ("half_pixel", "output_half_pixel") if opset >= 16 else (None,):
                yield one("RoiAlign", f"{mode}-{coordinate}", [plain("float32", (1, 2, 6, 6), "roi"), rois, whole([0, 0])], opset, mode=mode, output_height=2, output_width=3, sampling_ratio=2, coordinate_transformation_mode=coordinate)


def boxes():
    random = np.random.default_rng(7)
    for opset in opsets("NonMaxSuppression"):
        for batches, classes in [(1, 1), (1, 3), (2, 1), (2, 2)]:
            for center in (0, 1):
                corner = random.uniform(0, 1, (batches, 6, 2)).astype(np.float32)
                size = random.uniform(0.1, 0.6, (batches, 6, 2)).astype(np.float32)
                box = np.concatenate([corner, size if center else corner + size], -1)
                if not center:
                    # The corners may be given in either order.
                    box[:, 2] = box[:, 2][:, [2, 3, 0, 1]]
                scores = random.uniform(0, 1, (batches, classes, 6)).astype(np.float32)
                scores[..., 1] = scores[..., 0]
                for most, overlap, score in [(3, 0.5, None), (10, 0.1, 0.4), (0, 0.5, None), (1, 0.3, 0.2), (6, 0.9, 0.0), (2, 0.0, None)]:
                    inputs = [box, scores, whole([most]), np.float32([overlap])] + ([np.float32([score])] if score is not None else [])
                    yield one("NonMaxSuppression", f"{batches}{classes}{center}-{most}-{overlap}", inputs, opset, consts=[2, 3, 4] if most % 2 else [], center_point_box=center)
                yield one("NonMaxSuppression", f"{batches}{classes}{center}-default", [box, scores], opset, center_point_box=center)


def others():
    for opset in opsets("Col2Im"):
        yield one("Col2Im", "plain", [plain("float32", (1, 5, 5), "c2i"), whole([5, 5]), whole([1, 5])], opset)
    for opset in opsets("CenterCropPad"):
        for kind in types("CenterCropPad", opset):
            yield one("CenterCropPad", kind, [plain(kind, (5, 3), kind), whole([3, 6])], opset)


def all_specs():
    for group in (resize, sampling, boxes, others):
        yield from group()
