"""Speed and memory beside timm, with the same weights: `make bench`.

One thread, interleaved rounds: each round times every contestant once, so that a busy moment of the machine hits all of
them. The ratio is the median over the rounds. "Of bare products" is what the ratio would be if our attention cost no
more than the two d × d linear layers that no form of it can do without. Peak memory is what the allocator hands out
during one forward pass or training step, as PyTorch's profiler records it; it does not depend on the machine.
"""

import platform
import statistics
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.benchmark import Timer

sys.path.insert(0, str(Path(__file__).parents[1]))
from references import LinearSelfAttention, randomise, timm_model

import mvit2_lib as mv
from mvit2_lib.course import timing

ROUNDS = 25
SECONDS = 0.05  # per contestant and round


def attention_pair(d: int, P: int, N: int) -> tuple[tuple, tuple]:
    """Return timm's attention layer and ours with the same weights, each with its input."""
    reference, ours = randomise(LinearSelfAttention(d)), mv.SeparableSelfAttention(d).eval()
    (W_I, W_K, W_V), W_O = reference.qkv_proj.weight.flatten(1).split([1, d, d]), reference.out_proj.weight.flatten(1)
    (b_I, b_K, b_V), b_O = reference.qkv_proj.bias.split([1, d, d]), reference.out_proj.bias
    layers, weights = (ours.W_I, ours.W_K, ours.W_V, ours.W_O), ((W_I, b_I), (W_K, b_K), (W_V, b_V), (W_O, b_O))
    for layer, (weight, bias) in zip(layers, weights, strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})
    x = torch.randn(1, P, N, d)
    return (reference, x.permute(0, 3, 1, 2).contiguous()), (ours, x)


def bare_products(d: int, P: int, N: int) -> tuple:
    """Return the floor: the two d × d linear layers that no form of the attention can do without."""
    return nn.Sequential(nn.Linear(d, d), nn.Linear(d, d)), torch.randn(1, P, N, d)


def model_pair(width: float) -> tuple[tuple, tuple]:
    """Return timm's model and ours with the same weights, each with its input."""
    reference = timm_model(width)
    ours = mv.load_checkpoint(mv.MobileViTv2(width), reference.state_dict()).eval()
    x = torch.rand(1, 3, 256, 256)
    return (reference, x), (ours, x)


class TrainingStep(nn.Module):
    """Loss, and the gradients of all parameters."""

    def __init__(self, model: nn.Module, labels: torch.Tensor):
        super().__init__()
        self.model, self.labels = model.train(), labels

    @torch.inference_mode(False)
    @torch.enable_grad()
    def forward(self, x: torch.Tensor) -> None:
        self.model.zero_grad()
        F.cross_entropy(self.model(x), self.labels, label_smoothing=0.1).backward()


def step_pair(width: float) -> tuple[tuple, tuple]:
    """Return a training step of timm's model and of ours, with the same weights and pictures."""
    reference, x, labels = timm_model(width), torch.rand(8, 3, 128, 128), torch.randint(1000, (8,))
    ours = mv.load_checkpoint(mv.MobileViTv2(width), reference.state_dict())
    return (TrainingStep(reference, labels), x), (TrainingStep(ours, labels), x)


def peak_bytes(model: nn.Module, x: torch.Tensor) -> int:
    """Return the most memory that is allocated at one time during a call after the first."""
    model(x)
    return timing.peak_bytes(lambda: model(x))


def compare(*contestants: tuple) -> list[list[float]]:
    """Return the seconds of every contestant in every round."""
    timers = [Timer("model(x)", globals={"model": model, "x": x}, num_threads=1) for model, x in contestants]
    repeats = [max(1, round(SECONDS / timer.timeit(3).mean)) for timer in timers]
    rounds = [[timer.timeit(n).mean for timer, n in zip(timers, repeats, strict=True)] for _ in range(ROUNDS)]
    return [list(times) for times in zip(*rounds, strict=True)]


def row(name: str, timm: tuple, ours: tuple, at_least: float, floor: tuple | None = None) -> bool:
    """Print one line of the table and return whether our side keeps what is demanded of it."""
    times = compare(timm, ours, *([floor] if floor else []))
    ratios = [reference / our for reference, our in zip(times[0], times[1], strict=True)]
    ratio, (memory_timm, memory_ours) = statistics.median(ratios), (peak_bytes(*timm), peak_bytes(*ours))
    limit = f"{statistics.median(map(lambda t, f: t / f, times[0], times[2])):9.2f}" if floor else " " * 9
    good = ratio >= at_least and memory_ours <= memory_timm
    print(
        f"{name:44} {1e3 * statistics.median(times[0]):8.2f} {1e3 * statistics.median(times[1]):8.2f} "
        f"{ratio:7.2f} {min(ratios):6.2f}–{max(ratios):.2f} {at_least:7.2f} {limit} "
        f"{memory_timm / 2**20:8.2f} {memory_ours / 2**20:8.2f}   {'yes' if good else 'NO'}"
    )
    return good


def main() -> None:
    """Print the table; exit with 1 if a demand is not met."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"PyTorch {torch.__version__}, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread\n")
    print(f"{'':44} {'milliseconds':>17} {'timm / ours':>20} {'wanted':>7} {'of bare':>9} {'peak MiB':>17}   kept")
    print(
        f"{'':44} {'timm':>8} {'ours':>8} {'median':>7} {'range':>12} {'':>7} {'products':>9} {'timm':>8} {'ours':>8}"
    )
    results = []
    with torch.inference_mode():
        for d, P, N in ((128, 4, 256), (192, 4, 64), (256, 4, 16)):
            name = f"attention, d = {d}, {P} × {N} tokens"
            results.append(row(name, *attention_pair(d, P, N), at_least=1.3, floor=bare_products(d, P, N)))
        for width, optimised in ((0.5, 1.7), (1.0, 1.25), (2.0, 1.2)):
            reference, (plain, x) = model_pair(width)
            fast = mv.optimize_for_inference(plain), x
            results.append(row(f"plain model, α = {width}, 256 × 256, batch 1", reference, (plain, x), at_least=1.0))
            results.append(row(f"optimised model, α = {width}", reference, fast, at_least=optimised))
    results.append(row("training step, α = 0.5, 128 × 128, batch 8", *step_pair(0.5), at_least=1.0))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
