"""Whether mlx and PyTorch see the same losses: the nets of benches/workloads from the same weights, on the same batch, by the same
optimizer. A line for each workload with the greatest relative differences of the losses of all steps: of mlx's from PyTorch's, and of
both from PyTorch's in 64 bits, which is what rounding makes of them.

usage: python benches/losses.py MLX [NAME...]
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from peers import torch_parts

WORKLOADS = Path(__file__).parent / "workloads"
IMAGES = lambda count: {"image": (count, 3, 32, 32), "label": (count,)}
DATA = {  # the columns of a batch
    "linear": {"x": (442, 10), "y": (442, 1)},
    "mlp": {"image": (128, 784), "label": (128,)},
    "cnn": IMAGES(64),
    "resnet56": IMAGES(32),
    "lstm": {"x": (32, 64, 256), "label": (32,)},
    "gpt": {"id": (12, 65)},
    "gpt_baby": {"id": (4, 257)},
    "gpt2": {"id": (1, 257)},
}
STEPS = {"gpt2": 3}
# With their own learning rates these begin with losses that rise; every rounding then grows by the step, PyTorch's as well.
SLOWER = {"cnn": 0.03, "resnet56": 0.001}
ALLOWED = 1e-4


def main():
    mlx, *wanted = sys.argv[1:]
    different = False
    for name in wanted or [name for name in DATA]:
        steps = STEPS.get(name, 20)
        with tempfile.TemporaryDirectory() as folder:
            weights, data = beginning(mlx, name, Path(folder))
            (Path(folder) / "net.mlx").write_text(text_of(name, SLOWER.get(name, 1)))
            own = losses(mlx, Path(folder) / "net.mlx", steps, Path(folder) / "run")
        peer, exact = (twin(name, weights, data, steps, dtype) for dtype in (torch.float32, torch.float64))
        apart = difference(own, peer)
        different |= not apart <= ALLOWED
        print(f"{name}: {steps} steps, loss {own[0]:.4f} to {own[-1]:.4f}; mlx from PyTorch {apart:.1e}; from 64 bits: mlx "
              f"{difference(own, exact):.1e}, PyTorch {difference(peer, exact):.1e}", flush=True)
    sys.exit(different)


def difference(a, b):
    """Relative to the loss, or to a thousandth of the first one, which is learnt by heart then."""
    return float(np.max(np.abs(np.array(a) - np.array(b)) / np.maximum(b, 1e-3 * b[0])))


def text_of(name, factor):
    """A workload with its learning rate times a factor."""
    rate = lambda found: f"lr = {float(found[1]) * factor:g}"
    return re.sub(r"lr = ([0-9.e-]+)", rate, (WORKLOADS / f"{name}.mlx").read_text())


def losses(mlx, file, steps, out):
    """Of each step of a run, before its update."""
    command = [mlx, "train", str(file), "--steps", str(steps), "--out", str(out), "--json"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [event["loss"] for event in map(json.loads, lines) if event["event"] == "step"]


def beginning(mlx, name, folder):
    """The weights that a run of mlx begins with and its batch: what a step leaves that moves nothing and keeps the batch as states."""
    kept = ""
    for column, shape in DATA[name].items():
        axes = [f"i{at}: {size}" for at, size in enumerate(shape)]
        read = ", ".join(f"i{at}" for at in range(len(shape)))
        kept += f"    state seen_{column}: {list(shape)} = 0\n"
        kept += f"    seen_{column}'[{', '.join(axes)}] = if i0 < n then {column}[{read}] else 0\n"
    text = text_of(name, 0).replace("    minimize", kept + "    minimize", 1)
    (folder / "still.mlx").write_text(text)
    losses(mlx, folder / "still.mlx", 1, folder / "still")
    weights = tensors(folder / "still" / "last.safetensors")
    data = [weights.pop(f"seen_{column}") for column in DATA[name]]
    summary = subprocess.run([mlx, "summary", str(folder / "still.mlx"), "--json"], check=True, capture_output=True, text=True)
    # In the order of the program.
    paths = [tensor["path"] for tensor in json.loads(summary.stdout)["tensors"]]
    return {path: weights[path] for path in paths if path in weights}, data


def tensors(path):
    """What a safetensors file holds, by name in the order of the file."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    read = lambda own: np.frombuffer(content[start:][slice(*own["data_offsets"])], np.float32).reshape(own["shape"])
    return {name: read(own) for name, own in header.items()}


def twin(name, weights, data, steps, dtype):
    """The losses of PyTorch's steps."""
    classes = {"label", "id"}
    given = [torch.tensor(values).to(torch.long if column in classes else dtype) for column, values in zip(DATA[name], data)]
    torch.manual_seed(0)
    options = argparse.Namespace(threads=None, fused=False, channels_last=False)
    net, loss, optimizer = torch_parts(name, options, given)
    net.to(dtype)
    for group in optimizer.param_groups:
        group["lr"] *= SLOWER.get(name, 1)
    own = dict(net.named_parameters())
    with torch.no_grad():
        for path, values in named(name, weights, list(own)):
            assert own[path].shape == values.shape, (path, own[path].shape, values.shape)
            own.pop(path).copy_(torch.tensor(values))
        # A second bias would take a step of its own.
        for path, parameter in own.items():
            assert "bias_hh" in path, path
            parameter.zero_().requires_grad_(False)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        found.append(value.item())
        value.backward()
        optimizer.step()
    return found


GPT = {
    "embedding_1.w": "token.weight", "learned_positions_1.w": "place.weight", "layer_norm_1": "norm", "dense_1": "head",
    "attend_norm": "norm_one", "net_norm": "norm_two", "attend.to_query": "q", "attend.to_key": "k", "attend.to_value": "v",
    "attend.to_out": "out", "transformer_block_1": "blocks", "scale": "weight", "shift": "bias",
}


def named(name, weights, paths):
    """The parameters as PyTorch calls them and has them lie."""
    # Running statistics are no parameters, and no loss of a training step reads them.
    weights = {path: values for path, values in weights.items() if not path.endswith((".average", ".spread"))}
    if name == "lstm":
        for layer in range(2):
            gates = weights.pop(f"lstm_{layer + 1}.gates.w").T
            yield f"layers.weight_ih_l{layer}", np.ascontiguousarray(gates[:, :256])
            yield f"layers.weight_hh_l{layer}", np.ascontiguousarray(gates[:, 256:])
            yield f"layers.bias_ih_l{layer}", weights.pop(f"lstm_{layer + 1}.gates.b")
        paths = ["head.weight", "head.bias"]
    in_gpt = name.startswith("gpt")
    order = iter(paths)
    for path, values in weights.items():
        # Weights of a dense layer are [inputs, units] here.
        turned = values.T if path.endswith(".w") and path.split(".")[-2].startswith(("dense", "to_", "wide", "narrow")) else values
        yield (renamed(path) if in_gpt else next(order)), np.ascontiguousarray(turned)


def renamed(path):
    for own, other in GPT.items():
        path = re.sub(rf"\b{re.escape(own)}\b", other, path)
    return re.sub(r"\.w$", ".weight", re.sub(r"\.b$", ".bias", path))


if __name__ == "__main__":
    main()
