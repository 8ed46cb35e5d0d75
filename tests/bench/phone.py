"""What a phone's runtime does inside, and what eight bits cost: `make bench` writes inside.json and eight_bits.json.

Inside: ExecuTorch keeps a diary if it is asked to, with the time of every operator, also of those that it has handed
over to XNNPACK. The time of an operator is the median of the calls.

Eight bits: the digit model on its 382 test pictures, and the model of notebook 08, trained here anew, on its 135 tiles
of textures; each as it is and from files with 32 and with 8 bits.
"""

import argparse
import dataclasses
import os
import re
import tempfile
import warnings
from collections import Counter
from pathlib import Path

os.environ.setdefault("KINETO_LOG_LEVEL", "99")

import numpy as np
import torch
from executorch.devtools import Inspector
from executorch.extension.pybindings import portable_lib
from speed import MEASURED, load_file, picture, write_file
from torch import Tensor

import mvit2_lib as mv
from mvit2_lib.course import timing
from mvit2_lib.course.records import Measurement, Timings

CALLS = 15
# What XNNPACK calls its operators, and the kind that a reader knows.
INSIDE = {
    "Fully Connected": "products and convolutions",
    "Convolution": "products and convolutions",
    "Batch Matrix Multiply": "products and convolutions",
    "Softmax": "softmax",
    "Transpose": "moving numbers",
    "Static Reshape": "moving numbers",
    "Slice": "moving numbers",
    "Copy": "moving numbers",
}


def diary(path: Path, x: Tensor, folder: Path) -> dict[str, float]:
    """Return the seconds that each kind of operator takes in a call; XNNPACK does not run those "outside"."""
    portable_lib._unsafe_reset_threadpool(1)
    module = portable_lib._load_for_executorch(str(path), enable_etdump=True)
    for _ in range(CALLS):
        module.forward((x,))
    dump = folder / "diary.etdp"
    module.write_etdump_result_to_file(str(dump))
    (block,) = (block for block in Inspector(etdump_path=str(dump)).event_blocks if block.name == "Execute")
    kinds = Counter()
    for event in block.events:
        seconds = event.perf_data.p50 / 1e3
        if event.is_delegated_op:
            known = [kind for start, kind in INSIDE.items() if event.name.startswith(start)]
            kinds[known[0] if known else "sums, gates"] += seconds
        elif operator := re.fullmatch(r"native_call_(\w+?)(_copy)?\.\w+", event.name):
            kinds[f"outside: {operator[1]}"] += seconds
    return dict(kinds.most_common())


def inside(folder: Path) -> Timings:
    rows = []
    for width in (0.5, 1.0):
        for name in ("timm", "ours", "multi-head", "v1", "v1 spelled out"):
            path = folder / f"{name}-{width}.pte"
            with torch.inference_mode():
                write_file(name, width, 256, 1, "ExecuTorch", path)
            for kind, seconds in diary(path, picture(1, 256), folder).items():
                rows.append(Measurement(f"{name}, {kind}", round(100 * width), (seconds,)))
                print(f"{name}, α = {width}: {kind} {1e3 * seconds:.2f} ms", flush=True)
    return Timings(timing.machine(), tuple(rows), "ExecuTorch with XNNPACK, 256×256 pixels, batch 1")


def texture_tiles(first: int, last: int, step: int) -> tuple[Tensor, Tensor]:
    """Return the tiles of notebook 08 between two columns of the three photographs, and their labels."""
    tiles, labels = [], []
    for label, name in enumerate(("brick", "grass", "gravel")):
        photo = np.array(mv.sample_picture(name))
        for row in range(0, 512 - 63, step):
            for column in range(first, last - 63, step):
                tiles.append(photo[row : row + 64, column : column + 64])
                labels.append(label)
    return torch.from_numpy(np.stack(tiles)).float()[:, None] / 255, torch.tensor(labels)


def texture_model(tiles: Tensor, labels: Tensor) -> mv.MobileViTv2:
    torch.manual_seed(0)
    model = mv.load_pretrained("digits", num_classes=3).model
    recipe = dataclasses.replace(mv.FINE_TUNING, epochs=12, batch_size=16, backbone_learning_rate=1.0)
    mv.train(model, mv.Pictures(tiles, labels), recipe, progress=False)
    return model.eval()


def eight_bits(folder: Path) -> Timings:
    tiles, digits = texture_tiles(0, 256, 64), mv.load_digits("train")
    data = {
        "digits": (mv.load_pretrained("digits").model, digits[0][:200], mv.load_digits("test")),
        "textures": (texture_model(*tiles), tiles[0], texture_tiles(384, 512, 32)),
    }
    contestants, scores, files = {}, {}, {}
    for name, (model, ranges, (pictures, labels)) in data.items():
        answers = {f"{name}, PyTorch": mv.optimize_for_inference(model)}
        for runtime, to in (("ONNX Runtime", "onnx"), ("ExecuTorch", "executorch")):
            for bits, quantize in ((32, None), (8, [ranges])):
                form = f"{name}, {runtime}, {bits} bits"
                path = folder / f"{form}{mv.deploy.exporting.ENDINGS[to]}"
                mv.export(model, path, to, 64, quantize=quantize)
                files[form] = path.stat().st_size
                answers[form] = load_file(path)
        for form, answer in answers.items():
            with torch.inference_mode():
                best = torch.cat([answer(one) for one in pictures.split(1)]).argmax(dim=1)
            scores[form] = float((best == labels).float().mean())
            print(f"{form}: {scores[form]:.4f}", flush=True)
            contestants[form] = lambda side, answer=answer, one=pictures[:1]: lambda: answer(one)
    with torch.inference_mode():
        timings = timing.measure(contestants, [64], rounds=15, progress=False)
    rows = (
        dataclasses.replace(row, file_bytes=files.get(row.name), accuracy=scores[row.name])
        for row in timings.measurements
    )
    return dataclasses.replace(timings, measurements=tuple(rows), title="64×64 pixels, batch 1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=MEASURED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        eight_bits(Path(folder)).save(options.into / "eight_bits.json")
        inside(Path(folder)).save(options.into / "inside.json")


if __name__ == "__main__":
    main()
