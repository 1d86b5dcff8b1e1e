"""Where Trackside is meant to answer otherwise than Triton 2.51 and MLServer 1.7.1: reasons, and the cases of differential.py that each explains.

docs/inference.md tells the reasons to users.
"""

BOTH = ("Triton", "MLServer")

REASONS = [
    (BOTH, "health routes have a body: KServe's client reads it",
     ["live", "ready", "a model's readiness", "readiness of a version"]),
    (("Triton",), "what there is not is 404 everywhere",
     ["readiness of no model", "readiness of no version", "statistics of no model", "load of no model"]),
    (("Triton",), "NOT_FOUND, as for every other question about a model that there is not", ["gRPC: readiness of no model"]),
    (BOTH, "shared memory is not served", ["shared memory"]),
    (("Triton",), "shared memory is not served", ["gRPC: shared memory"]),
    (BOTH, "outputs come in the order in which they were asked for",
     ["both outputs, turned round", "gRPC: both outputs, turned round"]),
    (("Triton",), "415 is the status for it", ["an encoding that nobody knows"]),
    (("Triton",), "binary_data_output holds for every output that does not say otherwise, also where outputs are named",
     ["an output that says otherwise"]),
    (("Triton",), "each row has its classes, with labels where the model has them, and no digit is lost", ["classification"]),
    (("Triton",), "ONNX Runtime's library takes no text with a zero character; its Python package does", ["a zero character in a text"]),
    (("Triton",), "0 and 1 are truth values, 1.0 is a whole number: many clients write them so",
     ["truth values as numbers", "whole numbers with a point"]),
    (("Triton",), "what a type can not hold is refused; 300 as UINT8 would be 44", ["300 as UINT8", "1e39 as FP32"]),
    (("Triton",), "NaN is read as a word and as a text, and written as a text: the word is no JSON",
     ["not a number, a bare word", "not a number, a text"]),
    (("Triton",), "a faulty request is the client's fault: 400, not 500",
     ["truth value 2", "a fraction for a whole number", "-1 as UINT64", "no JSON", "a list", "no inputs", "inputs that are no list",
      "an input without a name", "an input without a shape", "less data than the shape says", "more data than the shape says",
      "a negative dimension", "a dimension that is no whole number", "a dimension that is a text", "a text for a number",
      "a number for a text", "null for a number", "a negative size", "gRPC: a negative dimension"]),
    (("Triton",), "nested data must be nested as the shape says", ["data nested otherwise than the shape"]),
    (("Triton",), "a name that stands twice is a mistake", ["an output twice"]),
    (BOTH, "a key that stands twice in an object is a mistake: readers of JSON differ in which of its values counts", ["a key twice"]),
    (("MLServer",), "MLServer knows of a model only what somebody wrote into its settings", ["metadata", "metadata of a version"]),
    (("MLServer",), "MLServer has no such route",
     ["configuration", "statistics", "statistics of no model", "gRPC: configuration of no model"]),
    (("MLServer",), "MLServer asks for a body", ["index of the repository"]),
    (("MLServer",), 'MLServer\'s error has another body than {"error": …}',
     ["no such address", "inference by GET", "readiness by POST", "gzip that is none"]),
    (("MLServer",), "MLServer answers with every output, whatever was asked for",
     ["one output", "an output that there is not", "an output twice", "gRPC: one output", "gRPC: an output that there is not"]),
    (("MLServer",), "MLServer wants the Content-Type of JSON", ["Content-Type of a text"]),
    (("MLServer",), "MLServer reads no deflate, and passes over an encoding that it does not know",
     ["deflate", "an encoding that nobody knows"]),
    (("MLServer",), "MLServer has no binary extension over REST",
     ["all kinds", "bytes in, JSON out", "bytes in and out", "JSON in, bytes out", "one output as bytes", "an output that says otherwise",
      "one input as bytes", "raw", "raw for two inputs", "a zero character in a text", "truth values as numbers", "truth value 2",
      "whole numbers with a point", "a fraction for a whole number", "300 as UINT8", "-1 as UINT64", "a number for a text", "bytes too few",
      "bytes too many", "a size beside the shape", "a negative size", "a head longer than the body", "a negative head",
      "a head of letters", "bytes and data"]),
    (("MLServer",), "MLServer has no classification", ["classification"]),
    (("MLServer",), "MLServer writes null for what JSON does not have", ["1e39 as FP32", "not a number, a text", "null for a number"]),
    (("MLServer",), "a request of another form is 400; MLServer says 422",
     ["not a number, a bare word", "no body", "no JSON", "a list", "no inputs", "inputs that are no list", "an input without a name",
      "an input without a shape", "an input without data", "a datatype that there is not", "a dimension that is no whole number"]),
    (("MLServer",), "what does not fit the model is 400, INVALID_ARGUMENT; MLServer leaves that to the model, and says 500, INTERNAL",
     ["an input is missing", "an input too many", "another datatype", "another rank", "shapes that do not go together",
      "too few columns for the model", "less data than the shape says", "more data than the shape says",
      "data nested otherwise than the shape", "a negative dimension", "a text for a number",
      "gRPC: raw for one of two", "gRPC: raw too short", "gRPC: typed too short", "gRPC: an input is missing",
      "gRPC: an input too many", "gRPC: another rank", "gRPC: a negative dimension"]),
    (("MLServer",), "MLServer takes what stands twice, or a text for a dimension", ["an input twice", "gRPC: an input twice", "a dimension that is a text"]),
    (("MLServer",), "typed values beside raw ones are refused", ["gRPC: raw and typed"]),
    (("MLServer",), "NOT_FOUND; MLServer says UNKNOWN", ["gRPC: readiness of no model"]),
]

MEANT: dict[str, dict[str, str]] = {}
for servers, reason, cases in REASONS:
    for case in cases:
        for server in servers:
            MEANT.setdefault(case, {})[server] = reason
