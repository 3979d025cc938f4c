"""How the cost of a step grows: workloads over width, depth, context, batch and rows, each size twice the one before. Time per unit of
work (a floating-point operation, a row) should stay flat; a table for each curve shows milliseconds, nanoseconds per unit and its
ratio to the least so far.

usage: python benches/curves.py MLX [--threads T] [NAME...]
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

MLP = """let width = 256
let depth = 4
let batch_rows = 128

data noise = rows(batch_rows, seed = 1) {
    x: [width] ~ normal(0, 1)
    y: [1]     ~ normal(0, 1)
    split = holdout(train = 100%)
}

model Net(x: [n, width]) -> [n, 1] {
    out x |> repeat(depth, dense(width) |> relu) |> dense(1)
}

train {
    data  = noise
    model = Net
    minimize mse(model(x), y) using adam(lr = 1e-3)
    steps = 1
}
"""
GPT = """let context = 64
let sequences = 8

data noise = rows(sequences, seed = 1) {
    id: class(65)[context + 1] ~ integers(0, 65)
    split = holdout(train = 100%)
}

model Gpt(id: class(65)[n, t]) -> [n, t, 65] {
    out id
        |> embedding(65, 128)
        |> learned_positions(context)
        |> repeat(2, transformer_block(4, causal = true, activation = gelu_tanh))
        |> layer_norm
        |> dense(65, bias = false)
}

train {
    data  = noise
    model = Gpt
    minimize cross_entropy(model(id[.., 0..context]), id[.., 1..context + 1]) using adamw(lr = 1e-3)
    steps = 1
}
"""
CONV = """let pixels = 32
let images = 16

data noise = rows(images, seed = 1) {
    image: [16, pixels, pixels] ~ normal(0, 1)
    label: class(10)[] ~ categorical([0 for i in 0..10])
    split = holdout(train = 100%)
}

model Net(image: [n, 16, h, w]) -> [n, 10] {
    out image |> repeat(3, conv(16, 3) |> relu) |> global_average_pool |> dense(10)
}

train {
    data  = noise
    model = Net
    minimize cross_entropy(model(image), label) using adam(lr = 1e-3)
    steps = 1
}
"""
LSTM = """let context = 64

data noise = rows(32, seed = 1) {
    x: [context, 128] ~ normal(0, 1)
    label: class(10)[] ~ categorical([0 for i in 0..10])
    split = holdout(train = 100%)
}

model Net(x: [n, t, 128]) -> [n, 10] {
    out (x |> lstm(128))[.., t - 1, 0..] |> dense(10)
}

train {
    data  = noise
    model = Net
    minimize cross_entropy(model(x), label) using adam(lr = 1e-3)
    steps = 1
}
"""
ROWS = """let count = 1000

data noise = rows(count, seed = 1) {
    x: [20] ~ normal(0, 1)
    y: []   ~ normal(0, 1)
    split = holdout(train = 100%)
}

model Linear(x: [n, d]) -> [n] {
    param w: [d] = 0
    out x @ w
}

train {
    data  = noise
    model = Linear
    minimize mse(model(x), y) using sgd(lr = 0.01)
    steps = 1
}
"""
CURVES = {  # the program, what varies, its values
    "width": (MLP, "width", [64, 128, 256, 512, 1024, 2048]),
    "depth": (MLP, "depth", [2, 4, 8, 16, 32, 64]),
    "batch": (MLP, "batch_rows", [32, 64, 128, 256, 512, 1024, 2048]),
    "context": (GPT, "context", [32, 64, 128, 256, 512, 1024]),
    "sequences": (GPT, "sequences", [1, 2, 4, 8, 16, 32]),
    "pixels": (CONV, "pixels", [8, 16, 32, 64, 128]),
    "images": (CONV, "images", [1, 2, 4, 8, 16, 32, 64]),
    "steps of a scan": (LSTM, "context", [16, 32, 64, 128, 256]),
    "rows": (ROWS, "count", [1000, 4000, 16000, 64000, 256000, 1024000]),
}
MOST_SECONDS = 1.0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mlx")
    parser.add_argument("names", nargs="*", default=list(CURVES))
    parser.add_argument("--threads")
    options = parser.parse_args()
    threads = ["--threads", options.threads] if options.threads else []
    for name in options.names:
        text, setting, values = CURVES[name]
        print(f"\n| {name} | ms | Gflop | ns per kflop | to the least before | first step, s | arena, MB |\n|---|---|---|---|---|---|---|")
        least = None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "net.mlx"
            file.write_text(text)
            for value in values:
                of = lambda command, *more: json.loads(subprocess.run(
                    [options.mlx, command, str(file), "--set", f"{setting}={value}", "--json", *more],
                    check=True, capture_output=True, text=True).stdout)
                flops = of("summary")["flops_per_step"]
                made = of("bench", "--steps", "3", *threads)
                steps = int(MOST_SECONDS * 1e3 / made["step_ms_median"])
                if steps > 6:
                    made = of("bench", "--steps", str(steps), *threads)
                each = 1e9 * made["step_ms_min"] / flops
                ratio = "" if least is None else f"{each / least:.2f}"
                least = min(least or each, each)
                print(f"| {value} | {made['step_ms_min']:.4g} | {flops / 1e9:.3g} | {each:.3g} | {ratio} | {made['first_step_s']:.2g} | "
                      f"{made['arena_bytes'] / 1e6:.3g} |", flush=True)


if __name__ == "__main__":
    main()
