"""What a cell is before it is proved, and how its model is made."""

import random
import zlib
from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto, defs, helper, numpy_helper

# The newest operator set that the pinned ONNX Runtime calls released.
NEWEST = 28
# The oldest whose kernels it still has as a rule.
OLDEST = 7
IR = 10

TYPES = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    "int8": np.dtype(np.int8),
    "int16": np.dtype(np.int16),
    "int32": np.dtype(np.int32),
    "int64": np.dtype(np.int64),
    "uint8": np.dtype(np.uint8),
    "uint16": np.dtype(np.uint16),
    "uint32": np.dtype(np.uint32),
    "uint64": np.dtype(np.uint64),
    "bool": np.dtype(np.bool_),
    "string": np.dtype(object),
}
FLOATS = ["float32", "float64", "float16"]
SIGNED = ["int8", "int16", "int32", "int64"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
INTEGERS = SIGNED + UNSIGNED
NUMBERS = FLOATS + INTEGERS
SCHEMA_NAMES = {"float": "float32", "double": "float64"}


@dataclass
class Spec:
    """A model to be proved: its nodes, what it is fed, what is a constant of it."""

    operator: str
    name: str
    nodes: list
    feeds: dict
    consts: dict
    outputs: list
    opsets: dict
    # "reference": ONNX's own evaluator, where ONNX Runtime's answer depends on the processor.
    oracle: str = "ort"
    functions: list = field(default_factory=list)


def seed(text):
    """A number that belongs to a name, the same everywhere."""
    return zlib.crc32(text.encode())


def rng(text):
    return np.random.default_rng(seed(text))


def pick(items, most, key):
    """At most so many of the items, by chance that depends on the key alone, in their order."""
    items = list(items)
    if len(items) <= most:
        return items
    chosen = sorted(random.Random(seed(key)).sample(range(len(items)), most))
    return [items[place] for place in chosen]


def element(array):
    """The number of an array's type in ONNX."""
    if array.dtype == object or array.dtype.kind in "US":
        return TensorProto.STRING
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def tensor(array, name):
    if element(array) == TensorProto.STRING:
        texts = [str(text).encode() for text in array.flatten()]
        return helper.make_tensor(name, TensorProto.STRING, array.shape, texts)
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


def opsets(operator, domain="", oldest=OLDEST, newest=None):
    """The versions of the set at which the operator changed, and the newest."""
    limit = newest or (NEWEST if domain == "" else 5)
    since = sorted(
        {s.since_version for s in defs.get_all_schemas_with_history() if s.name == operator and s.domain == domain}
    )
    last_old = max((version for version in since if version <= oldest), default=None)
    versions = {version for version in since if oldest < version <= limit}
    if last_old is not None:
        versions.add(max(oldest, last_old))
    if versions:
        versions.add(limit)
    return sorted(versions)


def types(operator, opset, variable="T", domain=""):
    """The types that a variable of the operator may take, those that NumPy has."""
    schema = defs.get_schema(operator, opset, domain)
    for constraint in schema.type_constraints:
        if constraint.type_param_str == variable:
            names = [text[7:-1] for text in constraint.allowed_type_strs if text.startswith("tensor(")]
            names = [SCHEMA_NAMES.get(name, name) for name in names]
            return [name for name in TYPES if name in names]
    return []


def one(operator, label, inputs, opset, outputs=1, consts=(), domain="", oracle="ort", also=None, **attributes):
    """A model of one node. `None` among the inputs leaves an optional one out; `consts` are positions of constants;
    `outputs` a number, or a list whose `None`s are left out."""
    names, feeds, fixed = [], {}, {}
    for place, value in enumerate(inputs):
        if value is None:
            names.append("")
            continue
        name = f"i{place}"
        # NumPy makes numbers of arrays without dimensions.
        value = np.asarray(value)
        names.append(name)
        (fixed if place in consts else feeds)[name] = value
    wanted = [True] * outputs if isinstance(outputs, int) else outputs
    given = [f"o{place}" if want else "" for place, want in enumerate(wanted)]
    attributes = {key: value for key, value in attributes.items() if value is not None}
    node = helper.make_node(operator, names, given, domain=domain, **attributes)
    sets = {"": opset} if domain == "" else {"": also or 17, domain: opset}
    title = f"{domain}.{operator}" if domain else operator
    return Spec(title, f"{title}-{opset}-{label}", [node], feeds, fixed, [name for name in given if name], sets, oracle)


def many(group, label, nodes, feeds, consts, outputs, opset=17, oracle="ort", more=None, functions=()):
    """A model of several nodes."""
    sets = {"": opset} | (more or {})
    return Spec(group, f"{group}-{opset}-{label}", nodes, feeds, consts, outputs, sets, oracle, list(functions))


def build(spec, output_types=None):
    """The model. Half of them declare their inputs' shapes, half only the rank, by their names."""
    free = seed(spec.name) % 2 == 1
    inputs = []
    for name, value in spec.feeds.items():
        shape = [f"{name}_{axis}" for axis in range(value.ndim)] if free else value.shape
        inputs.append(helper.make_tensor_value_info(name, element(value), shape))
    outputs = []
    for name in spec.outputs:
        if output_types and name in output_types:
            outputs.append(helper.make_tensor_value_info(name, output_types[name], None))
        else:
            outputs.append(helper.make_empty_tensor_value_info(name))
    consts = [tensor(value, name) for name, value in spec.consts.items()]
    graph = helper.make_graph(spec.nodes, "g", inputs, outputs, consts)
    sets = [helper.make_opsetid(domain, version) for domain, version in spec.opsets.items()]
    return helper.make_model(graph, opset_imports=sets, ir_version=IR, functions=spec.functions)
