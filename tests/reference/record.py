"""Records the losses of a three-layer net in PyTorch, to hold ours against.

usage: python record.py            (needs torch and numpy; writes beside itself)

The net is 5-8-6-3 with tanh, in float64, on the full batch. Weights and data come from small formulas and are
float32 values, so that reading them from a weight file or a table loses nothing. Loss k is the one before update k.
"""
import json, os, struct
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [5, 8, 6, 3]
ROWS, STEPS = 24, 30
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd_momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd_nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
}


def wave(count, step, shift):
    """`count` values of a sine, rounded to multiples of 1/1024."""
    k = torch.arange(count, dtype=torch.float64)
    return torch.round(torch.sin(step * k + shift) * 1024) / 1024


def weights():
    """Parameters by path: `dense_k.w` is [in, out]."""
    out = {}
    for k, (rows, columns) in enumerate(zip(SIZES, SIZES[1:]), 1):
        scale = {5: 0.5, 8: 0.375, 6: 0.4375}[rows]
        out[f"dense_{k}.w"] = (wave(rows * columns, 1.7 + k, 0.3 * k) * scale).reshape(rows, columns)
        out[f"dense_{k}.b"] = wave(columns, 0.9, 0.5 * k) * 0.125
    for value in out.values():
        assert torch.equal(value, value.float().double())
    return out


def data():
    x = wave(ROWS * SIZES[0], 2.3, 0.1).reshape(ROWS, SIZES[0])
    kind = torch.tensor([(3 * k * k + k // 4) % 3 for k in range(ROWS)])
    y = torch.stack([x[:, 0] * x[:, 1], x[:, 2] - x[:, 3] / 2, x[:, 4]], 1)
    return x, kind, torch.round(y * 1024) / 1024


def forward(p, x):
    h = torch.tanh(x @ p["dense_1.w"] + p["dense_1.b"])
    h = torch.tanh(h @ p["dense_2.w"] + p["dense_2.b"])
    return h @ p["dense_3.w"] + p["dense_3.b"]


def losses(loss_of, optimizer):
    p = {path: value.clone().requires_grad_() for path, value in weights().items()}
    update, seen = optimizer(list(p.values())), []
    for _ in range(STEPS):
        loss = loss_of(p)
        update.zero_grad()
        loss.backward()
        seen.append(loss.item())
        update.step()
    return seen


def write_safetensors(path, tensors):
    header, blob = {}, b""
    for name in sorted(tensors):
        raw = tensors[name].float().contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + blob)


def main():
    torch.set_num_threads(1)
    x, kind, y = data()
    kinds = {
        "cross_entropy": lambda p: F.cross_entropy(forward(p, x), kind),
        "mse": lambda p: F.mse_loss(forward(p, x), y),
    }
    p = {path: value.clone().requires_grad_() for path, value in weights().items()}
    kinds["cross_entropy"](p).backward()
    record = {
        "sizes": SIZES, "activation": "tanh", "steps": STEPS, "torch": torch.__version__.split("+")[0],
        "lr": {"sgd": 0.1, "sgd_momentum": 0.1, "sgd_nesterov": 0.1, "adam": 0.01}, "momentum": 0.9,
        "outputs": forward(weights(), x).tolist(),
        "gradients": {path: value.grad.tolist() for path, value in sorted(p.items())},
        "losses": {name: {o: losses(kind_of, make) for o, make in OPTIMIZERS.items()} for name, kind_of in kinds.items()},
    }
    with open(os.path.join(HERE, "three_layer.json"), "w") as file:
        json.dump(record, file, indent=1)
        file.write("\n")
    with open(os.path.join(HERE, "three_layer_data.csv"), "w") as file:
        file.write(",".join([f"x{k}" for k in range(5)] + ["kind"] + [f"y{k}" for k in range(3)]) + "\n")
        for row in range(ROWS):
            file.write(",".join(map(repr, x[row].tolist() + [int(kind[row])] + y[row].tolist())) + "\n")
    write_safetensors(os.path.join(HERE, "three_layer_weights.safetensors"), weights())


main()
