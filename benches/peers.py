"""The net of mlp.mlx in PyTorch and in JAX: the median and least time of a step in milliseconds, as one JSON line each.

usage: python benches/peers.py [STEPS [torch|jax]]    (measures whichever of the two is installed)
"""
import json, resource, sys, time
T0 = time.perf_counter()
SIZES, ROWS = [784, 265, 265, 265, 265, 10], 128
STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 300


def measure(name, step, imported):
    times = []
    until = time.perf_counter() + 0.5
    first = None
    while time.perf_counter() < until or first is None:
        step()
        first = first or time.perf_counter() - T0
    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    times.sort()
    print(json.dumps({"peer": name, "step_ms_median": round(times[len(times) // 2], 3), "step_ms_min": round(times[0], 3),
                      "import_s": round(imported, 2), "first_step_s": round(first, 2),
                      "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}), flush=True)


def torch_peer():
    import torch
    from torch import nn
    imported = time.perf_counter() - T0
    layers = [part for a, b in zip(SIZES, SIZES[1:]) for part in (nn.Linear(a, b), nn.ReLU())]
    net = nn.Sequential(*layers[:-1])
    x, y = torch.randn(ROWS, SIZES[0]), torch.randint(0, 10, (ROWS,))
    update = torch.optim.Adam(net.parameters(), 1e-3)

    def step():
        update.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        update.step()
        return loss.item()
    measure("torch " + torch.__version__, step, imported)


def jax_peer():
    import jax
    import jax.numpy as np
    imported = time.perf_counter() - T0
    keys = jax.random.split(jax.random.key(0), 8)
    p = [(0.05 * jax.random.normal(k, (a, b)), np.zeros(b)) for k, a, b in zip(keys, SIZES, SIZES[1:])]
    x, y = jax.random.normal(keys[6], (ROWS, SIZES[0])), jax.random.randint(keys[7], (ROWS,), 0, 10)

    def loss(p):
        h = x
        for w, b in p[:-1]:
            h = jax.nn.relu(h @ w + b)
        z = h @ p[-1][0] + p[-1][1]
        return np.mean(jax.nn.logsumexp(z, 1) - np.take_along_axis(z, y[:, None], 1)[:, 0])

    @jax.jit
    def update(p, m, v, t):
        value, g = jax.value_and_grad(loss)(p)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        new = jax.tree.map(lambda p, m, v: p - 1e-3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), p, m, v)
        return new, m, v, value
    zeros = jax.tree.map(np.zeros_like, p)
    state = [p, zeros, zeros, 1.0]

    def step():
        p, m, v, value = update(*state)
        state[:] = [p, m, v, state[3] + 1]
        return float(value)
    measure("jax " + jax.__version__, step, imported)


PEERS = {"torch": torch_peer, "jax": jax_peer}
for peer in [PEERS[name] for name in sys.argv[2:] or PEERS]:
    try:
        peer()
    except ImportError as missing:
        print(json.dumps({"peer": peer.__name__, "missing": str(missing)}))
