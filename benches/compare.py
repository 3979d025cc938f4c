"""Steps of mlx, PyTorch and JAX in turn: a table of each workload. Run by scripts/compare-peers."""
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ["linear", "mlp", "gpt", "gpt_baby", "gpt2", "cnn", "resnet56", "lstm"]
STEPS = {"linear": 2000, "mlp": 300, "gpt": 30, "gpt2": 3}
ROUNDS = 3


def peers(name):
    """Every way in which a peer may be the fastest, as arguments of peers.py."""
    layouts = [["--channels-last"], []] if name in ("cnn", "resnet56") else [[]]
    return [["torch", "--fused", *layout] for layout in layouts] + [["jax"]]


def run(command):
    made = subprocess.run(command, capture_output=True, text=True)
    lines = made.stdout.strip().splitlines()
    return json.loads(lines[-1]) if made.returncode == 0 and lines else None


def main():
    wanted = sys.argv[1:] or NAMES
    print("| workload | mlx, ms: median (least) | best peer, ms: median (least) | median / best peer's | least / least "
          "| first step, s | peer's | peak memory, MB | peer's |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in wanted:
        steps = str(STEPS.get(name, 10))
        own = ["target/release/mlx", "bench", str(HERE / f"workloads/{name}.mlx"), "--steps", steps, "--json"]
        ways = {"mlx": own}
        for peer in peers(name):
            ways[" ".join(peer)] = [sys.executable, str(HERE / "peers.py"), name, *peer, "--steps", steps]
        found = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, command in ways.items():
                made = run(command)
                if made:
                    found[way].append(made)
        row(name, found)


def row(name, found):
    def of(way, key, pick):
        return pick(made[key] for made in found[way])

    others = [way for way in found if way != "mlx" and found[way]]
    if not found["mlx"] or not others:
        print(f"| {name} | not measured |", flush=True)
        return
    best = min(others, key=lambda way: of(way, "step_ms_median", statistics.median))
    figures = {way: (of(way, "step_ms_median", statistics.median), of(way, "step_ms_min", min)) for way in ("mlx", best)}
    (own, own_least), (peer, peer_least) = figures["mlx"], figures[best]
    # Memory is compared with PyTorch's.
    torch = next((way for way in others if way.startswith("torch")), best)
    print(f"| {name} | {own:.3g} ({own_least:.3g}) | {peer:.3g} ({peer_least:.3g}), {best} | {own / peer:.2f} "
          f"| {own_least / peer_least:.2f} | {of('mlx', 'first_step_s', min):.2g} | {of(best, 'first_step_s', min):.2g} "
          f"| {of('mlx', 'peak_rss_mb', max):.0f} | {of(torch, 'peak_rss_mb', max):.0f} |", flush=True)


main()
