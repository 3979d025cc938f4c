"""Records the losses of a three-layer net in PyTorch, to hold ours against.

usage: python record.py            (needs torch and numpy; writes beside itself)

The nets are 5-8-6-3 with four activations, and one layer: linear, logistic and softmax regression; on the full batch, in
float64 and in float32. Weights and data come from small formulas and are float32 values, so that reading them from a
weight file or a table loses nothing. Loss k is the one before update k.
"""
import json, os, struct
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [5, 8, 6, 3]
ROWS, STEPS = 24, 50
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd_momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd_nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.05),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
}
ACTIVATIONS = {"tanh": torch.tanh, "relu": F.relu, "gelu": F.gelu, "silu": F.silu}
# A model and the optimizers that it is trained by.
MODELS = {name: ["adam"] for name in ["relu", "gelu", "silu", "linear", "logistic", "softmax"]}
MODELS["tanh"] = list(OPTIMIZERS)
MODELS["tanh_mse"] = list(OPTIMIZERS)


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


def forward(p, x, activation=torch.tanh):
    h = activation(x @ p["dense_1.w"] + p["dense_1.b"])
    h = activation(h @ p["dense_2.w"] + p["dense_2.b"])
    return h @ p["dense_3.w"] + p["dense_3.b"]


def loss_of(model, p, x, kind, y):
    if model == "linear":
        return F.mse_loss((x @ p["dense_1.w"][:, :1] + p["dense_1.b"][:1]), y[:, :1])
    if model == "logistic":
        return F.binary_cross_entropy_with_logits((x @ p["dense_1.w"][:, :1] + p["dense_1.b"][:1])[:, 0], (kind > 0).to(x.dtype))
    if model == "softmax":
        return F.cross_entropy(x @ p["dense_1.w"][:, :3] + p["dense_1.b"][:3], kind)
    if model == "tanh_mse":
        return F.mse_loss(forward(p, x), y)
    return F.cross_entropy(forward(p, x, ACTIVATIONS[model]), kind)


def losses(model, optimizer, dtype):
    x, kind, y = data()
    x, y = x.to(dtype), y.to(dtype)
    p = {path: value.to(dtype).clone().requires_grad_() for path, value in weights().items()}
    update, seen = optimizer(list(p.values())), []
    for _ in range(STEPS):
        loss = loss_of(model, p, x, kind, y)
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
    p = {path: value.clone().requires_grad_() for path, value in weights().items()}
    loss_of("tanh", p, x, kind, y).backward()
    kinds = {"f64": torch.float64, "f32": torch.float32}
    record = {
        "sizes": SIZES, "steps": STEPS, "torch": torch.__version__.split("+")[0],
        "outputs": forward(weights(), x).tolist(),
        "gradients": {path: value.grad.tolist() for path, value in sorted(p.items())},
        "losses": {
            name: {model: {o: losses(model, OPTIMIZERS[o], dtype) for o in made} for model, made in MODELS.items()}
            for name, dtype in kinds.items()
        },
    }
    with open(os.path.join(HERE, "three_layer.json"), "w") as file:
        json.dump(record, file, indent=1)
        file.write("\n")
    with open(os.path.join(HERE, "three_layer_data.csv"), "w") as file:
        file.write(",".join([f"x{k}" for k in range(5)] + ["kind", "some"] + [f"y{k}" for k in range(3)]) + "\n")
        for row in range(ROWS):
            file.write(",".join(map(repr, x[row].tolist() + [int(kind[row]), int(kind[row] > 0)] + y[row].tolist())) + "\n")
    write_safetensors(os.path.join(HERE, "three_layer_weights.safetensors"), weights())


main()
