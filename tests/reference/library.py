"""Records what PyTorch and scikit-learn say of the standard library's layers, losses, metrics and optimizers.

usage: python library.py [NAME...]        (needs torch, numpy, scikit-learn; writes library/NAME.json)

Each case is a program, library/NAME.mlx, and a function here of the same name, in float64: of the parameters by path, the
columns of library/data.csv, and whether it is training, it gives what the program predicts and the loss that it minimizes
(or the values of the program's reports, by name). Recorded are the parameters at the start, the loss before each of STEPS
updates by gradient descent with the rate LR, the gradients before the first, and the predictions after the last. A case
of OPTIMIZERS has its updates from that optimizer; then gradients, which are told by an update, are not recorded.
"""
import csv, json, os, sys
import torch

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "library")
ROWS, STEPS, LR = 24, 20, 0.1
CASES = {}
OPTIMIZERS = {}


def wave(count, step, shift):
    """`count` values of a sine, rounded to multiples of 1/1024: float32 values, so that no reading changes them."""
    k = torch.arange(count, dtype=torch.float64)
    return torch.round(torch.sin(step * k + shift) * 1024) / 1024


class Columns:
    """x0..x63: numbers; y0..y2: targets; kind: 0..2; some: 0 or 1; t0..t7: tokens 0..9; u0, u1, …: 8 positive numbers."""

    def __init__(self):
        self.x = wave(ROWS * 64, 2.3, 0.1).reshape(ROWS, 64)
        self.y = torch.round((self.x[:, :3] * self.x[:, 3:6] - self.x[:, 6:9] / 2) * 1024) / 1024
        self.kind = torch.tensor([(3 * k * k + k // 4) % 3 for k in range(ROWS)])
        self.some = (self.kind > 0).long()
        self.t = torch.tensor([[(7 * r * r + 3 * c + r * c) % 10 for c in range(8)] for r in range(ROWS)])
        self.u = wave(ROWS * 8, 1.1, 0.4).reshape(ROWS, 8).abs() + 0.125

    def write(self):
        names = [f"x{k}" for k in range(64)] + ["y0", "y1", "y2", "kind", "some"]
        names += [f"t{k}" for k in range(8)] + [f"u{k}" for k in range(8)]
        with open(os.path.join(HERE, "data.csv"), "w", newline="") as file:
            write = csv.writer(file, lineterminator="\n")
            write.writerow(names)
            for r in range(ROWS):
                row = self.x[r].tolist() + self.y[r].tolist() + [int(self.kind[r]), int(self.some[r])]
                write.writerow(row + self.t[r].tolist() + self.u[r].tolist())


def case(states=None, **shapes):
    """A case with parameters of these shapes and states of these values; a path's dots are written as two underscores."""
    path = lambda name: name.replace("__", ".")

    def register(function):
        CASES[function.__name__] = ({path(k): v for k, v in shapes.items()}, {path(k): v for k, v in (states or {}).items()}, function)
        return function

    return register


def start(shapes):
    out = {}
    for at, (path, shape) in enumerate(sorted(shapes.items())):
        count = 1
        for size in shape:
            count *= size
        out[path] = (wave(count, 1.7 + at, 0.3 * at + 0.2) * 0.5).reshape(shape)
    return out


def descent(trained):
    return torch.optim.SGD(trained, lr=LR)


def record(name):
    shapes, states, function = CASES[name]
    columns, first = Columns(), start(shapes)
    p = {path: value.clone().requires_grad_() for path, value in first.items()}
    p |= {path: torch.tensor(value, dtype=torch.float64) for path, value in states.items()}
    made = {"parameters": {path: {"shape": list(value.shape), "values": value.flatten().tolist()} for path, value in first.items()}}
    for path, values in states.items():
        made["parameters"][path] = {"shape": list(p[path].shape), "values": p[path].flatten().tolist()}
    given = function(p, columns, True)
    if isinstance(given, dict):
        return {"reports": {k: torch.as_tensor(v, dtype=torch.float64).tolist() for k, v in given.items()}}
    trained = [p[path] for path in first]
    optimizer = OPTIMIZERS.get(name, descent)(trained)
    losses = []
    for step in range(STEPS):
        _, loss = given if step == 0 else function(p, columns, True)
        for value in trained:
            value.grad = None
        loss.backward()
        losses.append(loss.item())
        if step == 0 and name not in OPTIMIZERS:
            made["gradients"] = {path: p[path].grad.flatten().tolist() for path in first}
        optimizer.step()
    made["losses"] = losses
    made["outputs"] = function(p, columns, False)[0].detach().reshape(ROWS, -1).tolist()
    return made


def short(value):
    """Ten digits say more than float32 holds."""
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, list):
        return [short(part) for part in value]
    if isinstance(value, dict):
        return {key: short(part) for key, part in value.items()}
    return value


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    import library_cases, library_losses, library_nets, library_sequences  # registers them

    assert library_cases and library_losses and library_nets and library_sequences
    Columns().write()
    for name in sys.argv[1:] or sorted(CASES):
        with open(os.path.join(HERE, f"{name}.json"), "w") as file:
            json.dump(short(record(name)), file)
            file.write("\n")


if __name__ == "__main__":
    sys.modules["library"] = sys.modules["__main__"]
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
