"""Records the node cases of the ONNX standard: `python onnx_cases.py > onnx.jsonl`, with `pip install onnx numpy`.

One line a case: its name, operator, attributes, inputs and outputs as flat lists of numbers. What is left out is counted in the
first line by operator: cases of several nodes, of other elements than numbers, and those that are larger than they need be.
"""

import collections
import json
import sys
import warnings

import numpy as np
import onnx
from onnx import helper
from onnx.backend.test.case.node import collect_testcases

# Elements of inputs and outputs together, so that the recording stays small.
MOST = 700
FLOATS = {"float32": "float", "float64": "float"}
INTS = {name: "int" for name in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]}
KINDS = {**FLOATS, **INTS, "bool": "bool"}


def number(value):
    if isinstance(value, (np.bool_, bool)):
        return int(value)
    if isinstance(value, (np.integer, int)):
        return int(value)
    if not np.isfinite(value):
        return str(float(value))
    return float(f"{float(value):.8g}")


def tensor(array):
    array = np.asarray(array)
    if str(array.dtype) not in KINDS:
        return None
    values = [number(value) for value in array.reshape(-1)]
    return {"kind": KINDS[str(array.dtype)], "shape": list(array.shape), "values": values}


def attribute(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, onnx.TensorProto):
        return tensor(onnx.numpy_helper.to_array(value))
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return [attribute(part) for part in value]
    return None


def recorded(case):
    """The case, or in a word why it is not recorded."""
    nodes = case.model.graph.node
    if len(nodes) != 1:
        return "expanded"
    given, wanted = case.data_sets[0]
    if any(not isinstance(array, (np.ndarray, np.generic)) for array in [*given, *wanted]):
        return "no tensors"
    if any(str(np.asarray(array).dtype) not in KINDS for array in [*given, *wanted]):
        return "other elements"
    if sum(np.asarray(array).size for array in [*given, *wanted]) > MOST:
        return "large"
    arrays = iter(given)
    return {
        "name": case.name.removeprefix("test_"),
        "op": nodes[0].op_type,
        "attributes": {a.name: attribute(helper.get_attribute_value(a)) for a in nodes[0].attribute},
        "inputs": [tensor(next(arrays)) if name else None for name in nodes[0].input],
        "outputs": [tensor(next(outs)) if name else None for outs in [iter(wanted)] for name in nodes[0].output],
    }


def main():
    warnings.filterwarnings("ignore")
    cases, left_out = [], collections.defaultdict(collections.Counter)
    for case in collect_testcases(None):
        made = recorded(case)
        if isinstance(made, str):
            left_out[case.model.graph.node[0].op_type if made != "expanded" else "(expanded)"][made] += 1
        else:
            cases.append(made)
    cases.sort(key=lambda case: (case["op"], case["name"]))
    counts = {op: dict(sorted(why.items())) for op, why in sorted(left_out.items())}
    json.dump({"onnx": onnx.__version__, "left_out": counts}, sys.stdout, separators=(",", ":"))
    print()
    for case in cases:
        json.dump(case, sys.stdout, separators=(",", ":"))
        print()


main()
