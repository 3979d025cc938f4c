"""The nets of benches/workloads in PyTorch and in JAX: how long a step takes, as one line of JSON.

usage: python benches/peers.py NAME torch|jax [--steps N] [--threads T] [--compile] [--channels-last] [--fused]
"""
import argparse
import json
import resource
import time

BEGIN = time.perf_counter()
IMAGES = {"cnn": 64, "resnet56": 32}
GPTS = {  # layers, width, heads, context, tokens, batch
    "gpt": (4, 128, 4, 64, 65, 12),
    "gpt_baby": (6, 384, 6, 256, 65, 4),
    "gpt2": (12, 768, 12, 256, 50257, 1),
}
MLP = [784, 265, 265, 265, 265, 10]
LSTM = dict(width=256, layers=2, context=64, batch=32)
STAGES = [(16, 1)] * 9 + [(32, 2)] + [(32, 1)] * 8 + [(64, 2)] + [(64, 1)] * 8


def torch_parts(name, options, data=()):
    """A net, its loss and its optimizer, written as its users write them. The data are drawn where none are given."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    if options.threads:
        torch.set_num_threads(options.threads)
    fused = {"fused": True} if options.fused else {}
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    given = iter(data)
    drawn = lambda *shape: next(given) if data else torch.randn(*shape)
    classes = lambda count, *shape: next(given) if data else torch.randint(0, count, shape)

    class Block(nn.Module):
        def __init__(self, channels, out, stride):
            super().__init__()
            self.one, self.norm_one = nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
            self.two, self.norm_two = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
            self.stride, self.more = stride, out - channels

        def forward(self, x):
            y = self.norm_two(self.two(F.relu(self.norm_one(self.one(x)))))
            if self.stride > 1:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
            return F.relu(x + y)

    class Transformer(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.norm_one, self.norm_two = nn.LayerNorm(width), nn.LayerNorm(width)
            self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            rows, context, width = x.shape
            h = self.norm_one(x)
            q, k, v = (
                f(h).view(rows, context, self.heads, width // self.heads).transpose(1, 2) for f in (self.q, self.k, self.v)
            )
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(rows, context, width))
            return x + self.narrow(F.gelu(self.wide(self.norm_two(x)), approximate="tanh"))

    class Gpt(nn.Module):
        def __init__(self, layers, width, heads, context, tokens):
            super().__init__()
            self.token, self.place = nn.Embedding(tokens, width), nn.Embedding(context, width)
            self.blocks = nn.Sequential(*[Transformer(width, heads) for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, tokens, bias=False)

        def forward(self, ids):
            return self.head(self.norm(self.blocks(self.token(ids) + self.place.weight)))

    class Lstm(nn.Module):
        def __init__(self, width, layers):
            super().__init__()
            self.layers, self.head = nn.LSTM(width, width, layers, batch_first=True), nn.Linear(width, 10)

        def forward(self, x):
            return self.head(self.layers(x)[0][:, -1])

    def of_classes(net, x, optimizer):
        y = classes(10, x.shape[0])
        return net, lambda: F.cross_entropy(net(x), y), optimizer(net.parameters())

    def adam(parameters):
        return torch.optim.Adam(parameters, 1e-3, **fused)

    if name == "linear":
        net, x, y = nn.Linear(10, 1), drawn(442, 10), drawn(442, 1)
        made = net, lambda: F.mse_loss(net(x), y), torch.optim.SGD(net.parameters(), 0.1, **fused)
    elif name == "mlp":
        layers = [part for a, b in zip(MLP, MLP[1:]) for part in (nn.Linear(a, b), nn.ReLU())]
        made = of_classes(nn.Sequential(*layers[:-1]), drawn(128, MLP[0]), adam)
    elif name == "lstm":
        x = drawn(LSTM["batch"], LSTM["context"], LSTM["width"])
        made = of_classes(Lstm(LSTM["width"], LSTM["layers"]), x, adam)
    elif name == "cnn":
        conv = lambda a, b: [nn.Conv2d(a, b, 3, padding=1), nn.ReLU()]
        layers = conv(3, 32) + conv(32, 32) + [nn.MaxPool2d(2)] + conv(32, 64) + conv(64, 64) + [nn.MaxPool2d(2)]
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4096, 256), nn.ReLU(), nn.Linear(256, 10))
        made = of_classes(net.to(memory_format=layout), drawn(64, 3, 32, 32).to(memory_format=layout), adam)
    elif name == "resnet56":
        widths = [16] + [width for width, _ in STAGES]
        blocks = [Block(before, width, stride) for before, (width, stride) in zip(widths, STAGES)]
        stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        net = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
        sgd = lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=1e-4, **fused)
        made = of_classes(net.to(memory_format=layout), drawn(32, 3, 32, 32).to(memory_format=layout), sgd)
    else:
        *shape, tokens, batch = GPTS[name]
        net = Gpt(*shape, tokens)
        ids = classes(tokens, batch, shape[-1] + 1)
        loss = lambda: F.cross_entropy(net(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        made = net, loss, torch.optim.AdamW(net.parameters(), 1e-3, **fused)
    return made


def torch_step(name, options):
    """A function that takes a step."""
    import torch

    _, loss, optimizer = torch_parts(name, options)
    loss = torch.compile(loss) if options.compile else loss

    def step():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value.item()

    return step


def jax_step(name, _options):
    """The same with Adam, the whole step compiled."""
    import jax
    import jax.numpy as np

    keys = iter(jax.random.split(jax.random.key(0), 1000))
    weight = lambda *shape: jax.random.normal(next(keys), shape) * 0.05
    cross_entropy = lambda z, y: np.mean(
        jax.nn.logsumexp(z, -1) - np.take_along_axis(z, y[..., None], -1)[..., 0])
    image = lambda x, w, stride=1: jax.lax.conv_general_dilated(
        x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    dense = lambda p, x: x @ p[0] + p[1]
    affine = lambda a, b: (weight(a, b), np.zeros(b))
    classes = lambda rows: jax.random.randint(next(keys), (rows,), 0, 10)

    def norm(x, p, axes):
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        return (x - mean) / np.sqrt(variance + 1e-5) * p[0] + p[1]

    scales = lambda width: (np.ones(width), np.zeros(width))
    if name == "linear":
        p, x, y = affine(10, 1), weight(442, 10), weight(442, 1)
        loss = lambda p: np.mean((dense(p, x) - y) ** 2)
    elif name == "mlp":
        p, x, y = [affine(a, b) for a, b in zip(MLP, MLP[1:])], weight(128, 784), classes(128)

        def loss(p):
            h = x
            for layer in p[:-1]:
                h = jax.nn.relu(dense(layer, h))
            return cross_entropy(dense(p[-1], h), y)
    elif name == "cnn":
        sizes = [(3, 32), (32, 32), (32, 64), (64, 64)]
        p = [(weight(3, 3, a, b), np.zeros(b)) for a, b in sizes] + [affine(4096, 256), affine(256, 10)]
        x, y = weight(64, 32, 32, 3), classes(64)

        def loss(p):
            h = x
            for at, (w, b) in enumerate(p[:4]):
                h = jax.nn.relu(image(h, w) + b)
                if at % 2:
                    h = jax.lax.reduce_window(h, -np.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            return cross_entropy(dense(p[5], jax.nn.relu(dense(p[4], h.reshape(64, -1)))), y)
    elif name == "resnet56":
        widths = [16] + [width for width, _ in STAGES]
        block = lambda a, b: (weight(3, 3, a, b), scales(b), weight(3, 3, b, b), scales(b))
        p = dict(stem=(weight(3, 3, 3, 16), scales(16)), head=affine(64, 10),
                 blocks=[block(a, b) for a, b in zip(widths, widths[1:])])
        x, y = weight(32, 32, 32, 3), classes(32)

        def loss(p):
            h = jax.nn.relu(norm(image(x, p["stem"][0]), p["stem"][1], (0, 1, 2)))
            for (one, norm_one, two, norm_two), (width, stride) in zip(p["blocks"], STAGES):
                r = jax.nn.relu(norm(image(h, one, stride), norm_one, (0, 1, 2)))
                r = norm(image(r, two), norm_two, (0, 1, 2))
                if stride > 1:
                    h = np.pad(h[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (width // 4, width // 4)))
                h = jax.nn.relu(h + r)
            return cross_entropy(dense(p["head"], h.mean((1, 2))), y)
    elif name == "lstm":
        width = LSTM["width"]
        p = dict(layers=[affine(2 * width, 4 * width) for _ in range(LSTM["layers"])], head=affine(width, 10))
        x, y = weight(LSTM["context"], LSTM["batch"], width), classes(LSTM["batch"])

        def loss(p):
            h = x
            for w, b in p["layers"]:
                given = h @ w[:width] + b

                def cell(carry, z):
                    h, c = carry
                    i, f, g, o = np.split(z + h @ w[width:], 4, -1)
                    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * np.tanh(g)
                    h = jax.nn.sigmoid(o) * np.tanh(c)
                    return (h, c), h

                h = jax.lax.scan(cell, (np.zeros((LSTM["batch"], width)),) * 2, given)[1]
            return cross_entropy(dense(p["head"], h[-1]), y)
    else:
        layers, width, heads, context, tokens, batch = GPTS[name]
        block = lambda: dict(one=scales(width), two=scales(width), qkv=affine(width, 3 * width), out=affine(width, width),
                             wide=affine(width, 4 * width), narrow=affine(4 * width, width))
        p = dict(token=weight(tokens, width), place=weight(context, width), norm=scales(width), head=weight(width, tokens),
                 blocks=[block() for _ in range(layers)])
        ids = jax.random.randint(next(keys), (batch, context + 1), 0, tokens)
        mask = np.tril(np.ones((context, context), bool))

        def loss(p):
            h = p["token"][ids[:, :-1]] + p["place"]
            for b in p["blocks"]:
                qkv = dense(b["qkv"], norm(h, b["one"], -1)).reshape(batch, context, 3, heads, width // heads)
                score = np.einsum("bihe,bjhe->bhij", qkv[:, :, 0], qkv[:, :, 1]) / (width // heads) ** 0.5
                share = jax.nn.softmax(np.where(mask, score, -1e30))
                mixed = np.einsum("bhij,bjhe->bihe", share, qkv[:, :, 2]).reshape(batch, context, width)
                h = h + dense(b["out"], mixed)
                h = h + dense(b["narrow"], jax.nn.gelu(dense(b["wide"], norm(h, b["two"], -1))))
            return cross_entropy(norm(h, p["norm"], -1) @ p["head"], ids[:, 1:])

    @jax.jit
    def update(p, m, v, t):
        value, g = jax.value_and_grad(loss)(p)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        move = lambda p, m, v: p - 1e-3 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return jax.tree.map(move, p, m, v), m, v, value

    zeros = lambda: jax.tree.map(np.zeros_like, p)
    state = [p, zeros(), zeros(), 0.0]

    def step():
        state[3] += 1.0
        *state[:3], value = update(*state)
        return float(value)

    return step


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=["linear", "mlp", "lstm", *IMAGES, *GPTS])
    parser.add_argument("peer", choices=["torch", "jax"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int)
    for flag in ("compile", "channels-last", "fused"):
        parser.add_argument(f"--{flag}", action="store_true")
    options = parser.parse_args()
    step = (torch_step if options.peer == "torch" else jax_step)(options.name, options)
    step()
    first = time.perf_counter() - BEGIN
    # Half a second and three steps until caches, clocks and allocators are warm.
    warm, taken = time.perf_counter() + 0.5, 0
    while time.perf_counter() < warm or taken < 3:
        step()
        taken += 1
    times = []
    for _ in range(options.steps):
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    times.sort()
    print(json.dumps({
        "step_ms_median": times[len(times) // 2], "step_ms_min": times[0], "first_step_s": first,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }))


if __name__ == "__main__":
    main()
