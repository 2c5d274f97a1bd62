"""The pass with shared prompts and pictures against others: time, peak memory and, on a GPU, throughput.

    python -m benchmarks.shared_prefix                                  # on one CPU thread
    python -m benchmarks.shared_prefix --device cuda --model 3b         # wants torch and transformers only
    python -m benchmarks.shared_prefix --device cuda --model 7b

A pass is what an update does with one group: log-probabilities of all replies, and all gradients. Times are
the least of several passes, the ways taken in turn; on a CPU they are processor seconds of the one thread, so
that other programs on the machine matter little, with seconds of the clock beside them. Peak memory is what a
pass needs beyond model and gradients. On a CPU each is measured in a process of its own, by the high-water
mark of its resident size before and after; on a GPU by torch's allocator.
"""

from __future__ import annotations

from benchmarks.bare_machine import without_environments

without_environments()

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import asdict, dataclass, replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import torch  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from agents.flops import StepShape, count_step  # noqa: E402
from agents.logprobs import from_hidden_states  # noqa: E402
from agents.model_shape import ModelShape, read_model_shape  # noqa: E402
from agents.patch_embedding import embed_patches_by_product  # noqa: E402
from agents.reply_batch import ReplyBatch  # noqa: E402
from agents.shared_prefix import share_prefixes  # noqa: E402
from benchmarks.prefix_ways import WAYS, random_group  # noqa: E402
from benchmarks.results import FOLDER, machine  # noqa: E402

SHAPES = Path(__file__).parents[1] / "configs" / "model_shapes"
MODELS = {"embedded": "embedded", "3b": str(SHAPES / "Qwen2.5-VL-3B"), "7b": str(SHAPES / "Qwen2.5-VL-7B")}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A group that is measured.

    Attributes:
        prompt: tokens of each prompt.
        images: pictures of the question.
        side: a picture takes so many tokens each way.
        replies: to all orders.
        reply: tokens of a reply.
        orders: orders of the pictures that are asked.
    """

    prompt: int
    images: int
    side: int
    replies: int
    reply: int
    orders: int = 1

    def __str__(self) -> str:
        return (f"{self.prompt} tokens, {self.images} image{'s' * (self.images > 1)}, "
                f"{self.orders} × {self.replies // self.orders} replies of {self.reply}")  # fmt: skip


#: What the aim is put for; all ways are measured there.
HEADLINE = Cell(1000, 4, 11, 12, 100)


def cpu_cells() -> list[Cell]:
    """Prompt length × replies × images, which take half of the prompt; the headline's in two orders too."""
    grid = [
        Cell(prompt, images, int((prompt / 2 / images) ** 0.5), replies, 100)
        for prompt in (250, 1000, 2000)
        for replies in (4, 12)
        for images in (1, 4)
    ]
    return [*grid, replace(HEADLINE, orders=2)]


def gpu_cells() -> list[Cell]:
    """Four pictures of 512² (324 tokens each), 200 tokens of text; 12 replies, to one order and to two."""
    one = Cell(1500, 4, 18, 12, 512)
    return [one, replace(one, orders=2)]


def build(name: str, device: str) -> torch.nn.Module:
    """A model of that shape with random weights: float32 on a CPU, bfloat16 on a GPU."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    from agents.model_folder import model_folder

    config = AutoConfig.from_pretrained(str(model_folder(MODELS[name])))
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(
            config, dtype=torch.float32 if device == "cpu" else torch.bfloat16
        )
    if device != "cpu":
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.train()
    share_prefixes(model)
    return embed_patches_by_product(model)


def run_pass(model: torch.nn.Module, batch: ReplyBatch, way: str) -> float:
    """One pass with its gradients; the loss."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad.zero_()
    found = from_hidden_states(model, batch, WAYS[way](model, batch))
    loss = found["logprobs"].sum() / batch.reply_mask.sum()
    loss.backward()
    return loss.item()


def seconds_of(
    model: torch.nn.Module, batch: ReplyBatch, ways: Sequence[str], repeats: int
) -> dict[str, dict[str, float]]:
    """The least processor and clock seconds of each way, the ways taken in turn."""
    best = {way: {"processor": float("inf"), "clock": float("inf")} for way in ways}
    losses = {way: run_pass(model, batch, way) for way in ways}  # not measured
    if max(losses.values()) - min(losses.values()) > 1e-2:
        raise RuntimeError(f"the ways disagree: {losses}")
    for _ in range(repeats):
        for way in ways:
            started = time.process_time(), time.perf_counter()
            run_pass(model, batch, way)  # reads the loss, so a GPU has come to its end
            if batch.reply_ids.is_cuda:
                torch.cuda.synchronize()
            ended = time.process_time(), time.perf_counter()
            for clock, begin, end in zip(("processor", "clock"), started, ended, strict=True):
                best[way][clock] = min(best[way][clock], end - begin)
    return best


def gpu_peak(model: torch.nn.Module, batch: ReplyBatch, way: str) -> float:
    """Megabytes that a pass needs beyond model and gradients."""
    run_pass(model, batch, way)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run_pass(model, batch, way)
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def cpu_peak(model_name: str, cell: Cell, way: str) -> float:
    """The same, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.shared_prefix", "--model", model_name]
    command += ["--one", way, *(str(value) for value in asdict(cell).values())]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.splitlines()[-1])


def print_own_peak(model_name: str, cell: Cell, way: str) -> None:
    """Runs in that process: a small pass first, so that what all passes need is there before."""
    model = build(model_name, "cpu")
    small = random_group(model, 60, 1, 4, replies=2, reply=4, orders=1)
    for _ in range(2):
        run_pass(model, small, way)
    batch = random_group(model, **asdict(cell))
    before = _high_water()
    run_pass(model, batch, way)
    print((_high_water() - before) / 1024)


def _high_water() -> int:
    """Most kilobytes that this process has had in memory (``getrusage`` would count its parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1])


def matmul_peak() -> float:
    """Operations a second of the largest bfloat16 products that the GPU is good at."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(20):
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(10):
            a @ b
        torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - started) / 10)
    return 2 * 8192**3 / best


def flops_of(shape: ModelShape, cell: Cell, way: str) -> float:
    """Operations of the tokens that a pass computes; those of checkpointed layers are counted once."""
    step = StepShape(
        questions=1, orders=cell.orders, rollouts_per_order=cell.replies // cell.orders,
        images=cell.images, image_tokens=cell.side**2,
        text_tokens=cell.prompt - cell.images * cell.side**2, reply_tokens=cell.reply,
    )  # fmt: skip
    counted = count_step(shape, step, checkpointing=False, reference=False)
    return counted.plain_update if way == "plain" else counted.shared_update


def measure_cell(args: argparse.Namespace, model: torch.nn.Module, cell: Cell) -> dict[str, Any]:
    """Time and memory of each way; throughput as well on a GPU."""
    batch = random_group(model, **asdict(cell))
    ways = list(WAYS) if cell == HEADLINE else ["plain", "shared"]
    found: dict[str, Any] = {way: dict(times) for way, times in
                             seconds_of(model, batch, ways, args.repeats).items()}  # fmt: skip
    for way, figures in found.items():
        on_gpu = args.device == "cuda"
        peak = gpu_peak(model, batch, way) if on_gpu else cpu_peak(args.model, cell, way)
        figures["megabytes"] = peak
        figures["reply tokens a second"] = cell.replies * cell.reply / figures[args.clock]
        if args.peak:
            flops = flops_of(args.shape, cell, way)
            figures["share of matmul peak"] = flops / figures["clock"] / args.peak
    return found


def arguments() -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--model", choices=list(MODELS), default="embedded")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cell", type=int, nargs=6, action="append",
                        metavar=("PROMPT", "IMAGES", "SIDE", "REPLIES", "REPLY", "ORDERS"),
                        help="measure this group instead of the usual ones")  # fmt: skip
    parser.add_argument("--out", type=Path, default=FOLDER, help="where the results are written")
    parser.add_argument("--one", nargs=7, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure and publish."""
    args = arguments()
    if args.device == "cpu":
        torch.set_num_threads(1)
    if args.one:
        print_own_peak(args.model, Cell(*map(int, args.one[1:])), args.one[0])
        return
    args.clock = "processor" if args.device == "cpu" else "clock"
    args.peak = matmul_peak() if args.device == "cuda" else None
    args.shape = read_model_shape(MODELS[args.model])
    model = build(args.model, args.device)
    cells = [Cell(*values) for values in args.cell or ()]
    cells = cells or (cpu_cells() if args.device == "cpu" else gpu_cells())
    figures = {}
    table = Table("group", "way", "seconds", "× plain", "MB", "× plain", title=f"{args.model}, {args.device}")  # fmt: skip
    for cell in cells:
        found = measure_cell(args, model, cell)
        figures[str(cell)] = found
        for way, values in found.items():
            ratios = [found["plain"][key] / values[key] for key in (args.clock, "megabytes")]
            table.add_row(
                str(cell), way, f"{values[args.clock]:.2f}", f"{ratios[0]:.1f}",
                f"{values['megabytes']:,.0f}", f"{ratios[1]:.1f}",
            )  # fmt: skip
    Console().print(table)
    name = "shared_prefix" if args.device == "cpu" else f"shared_prefix_{args.model}_{args.device}"
    content = {"machine": machine(), "command": f"python -m benchmarks.{_command()}",
               "peak_flops": args.peak, "figures": figures}  # fmt: skip
    if args.device == "cuda":
        content["machine"]["gpu"] = torch.cuda.get_device_name()
    args.out.mkdir(exist_ok=True)
    (args.out / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def _command() -> str:
    return " ".join(["shared_prefix", *sys.argv[1:]])


if __name__ == "__main__":
    main()
