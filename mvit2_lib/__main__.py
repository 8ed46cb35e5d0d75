"""The command line: `python -m mvit2_lib predict`, `evaluate`, `train` and `export`. Each has a `--help`.

Exit codes: 0 success; 1 some pictures could not be read (`predict`), or none could (`evaluate`); 2 a failure, explained
in one line; 130 interrupted.
"""

import argparse
import csv
import dataclasses
import importlib.util
import io
import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ._guard import FileError, printable, write_whole
from .data.datasets import PictureFolder, Pictures
from .data.reading import open_image
from .data.samples import load_digits
from .data.splits import split_folder
from .data.transforms import Preparation
from .deploy import export, optimize_for_inference
from .deploy.exporting import ENDINGS
from .model import MobileViTv2, scale_architecture
from .training.distributed import processes
from .training.evaluation import SHOWN, evaluate
from .training.freezing import freeze, frozen_parts
from .training.loop import train
from .training.recipe import AUGMENTATIONS, FINE_TUNING, Recipe
from .weights.pretrained import DIGITS, DIGITS_PREPARATION, WIDTHS, Pretrained, load_pretrained, with_new_head


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that knows no é must not end the run
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: _complain(f"warning: {message}")
        try:
            return options.command(options)
        except KeyboardInterrupt:
            _complain("interrupted")
            return 130
        except BrokenPipeError:  # whoever read the answers, such as `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except (ValueError, ArithmeticError, OSError, RuntimeError) as error:
            # From a process that reads pictures comes its whole traceback, with the message in the last line.
            message = str(error).strip().splitlines()[-1] if "Original Traceback" in str(error) else str(error)
            _complain(f"error: {message or type(error).__name__}")
            return 2


def predict(options: argparse.Namespace) -> int:
    """Print the five best answers for every picture."""
    weights = _weights(options)
    names = _read_labels(options.labels, len(weights.classes)) if options.labels else weights.classes
    model = optimize_for_inference(weights.model)
    failures = 0
    # The bar shows itself on a terminal only, and for one picture it would be noise.
    for path in tqdm(options.pictures, unit="picture", disable=True if len(options.pictures) == 1 else None):
        try:
            image = weights.preparation(open_image(path)).to(options.device)
        except (FileError, OSError) as error:
            failures += 1
            missing = isinstance(error, FileNotFoundError)
            problem = f"there is no file {printable(path)}" if missing else printable(error)
            lines = [printable(path), f"  {problem}"]
            tqdm.write(_json({"picture": path, "error": problem}) if options.json else "\n".join(lines))
            continue
        with torch.inference_mode():
            best = model(image).softmax(dim=1)[0].topk(min(5, len(names)))
        answers = [
            {"class": index, "name": names[index], "probability": round(probability, 6)}
            for probability, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        lines = [f"  {answer['probability']:6.1%}  {printable(answer['name'])}" for answer in answers]
        whole = _json({"picture": path, "answers": answers}) if options.json else "\n".join([printable(path), *lines])
        tqdm.write(whole)
    return 1 if failures else 0


def evaluate_folder(options: argparse.Namespace) -> int:
    """Print top-1 and top-5 accuracy on a folder with class folders."""
    weights = _weights(options)
    folders = _read_labels(options.labels, len(weights.classes), twice=False) if options.labels else weights.folders
    if not folders:
        raise FileError(
            f"{printable(weights.name)} does not say what its {len(weights.classes)} classes are called: say with "
            "--labels FILE which folder is which class, one folder name a line in the order of the logits"
        )
    _check_confusion(options.confusion, [options.record, options.labels])
    pictures = PictureFolder(options.folder, folders, weights.preparation)
    _say_what_is_left_out(pictures)
    progress = not options.json and sys.stderr.isatty()
    result = evaluate(
        weights.model, pictures, options.batch_size, options.workers, options.record, weights.name, progress
    )
    summary = {"weights": weights.name, **result.summary()}
    if options.confusion:
        _write_confusion(Path(options.confusion), result.matrix(len(folders)), folders)
    if options.per_class:
        summary |= {"classes": result.per_class(folders), "worst": [_named(line, folders) for line in result.worst]}
    if options.json:
        print(_json(summary))
    else:
        for name in ("top1", "top5"):
            share = summary[name]
            print(f"{name.replace('top', 'top-')}  {'unknown' if share is None else f'{share:.2%}'}")
        print(f"{result.pictures} pictures, {result.unreadable} unreadable")
        if options.per_class:
            _print_classes(summary["classes"], summary["worst"])
    for reason in result.reasons:
        _complain(f"unreadable: {reason}")
    if result.unreadable > SHOWN:
        _complain(f"unreadable: and {result.unreadable - SHOWN} more")
    return 0 if result.pictures else 1


def train_model(options: argparse.Namespace) -> int:
    """Train a model, alone or in several processes, from random weights or from trained ones."""
    standard = FINE_TUNING if options.weights else Recipe()
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(Recipe)}
    recipe = dataclasses.replace(standard, **{name: value for name, value in given.items() if value is not None})
    torch.manual_seed(recipe.seed)  # before the first weights are drawn, and the same in every process
    start = _weights(options) if options.weights else None
    width = options.width
    if options.data == "digits":
        training, validation, preparation = *_digits(options), DIGITS_PREPARATION
        classes = [str(digit) for digit in range(10)]
        settings = DIGITS if width is None else {**DIGITS, "width_multiplier": width}
    else:
        preparation = start.preparation if start else Preparation(image_size=options.image_size or 256)
        training, validation = _folders(options, preparation, recipe.seed)
        classes = training.classes
        settings = {"width_multiplier": 1.0 if width is None else width, "num_classes": len(classes)}
    if start:
        model, notes = _begun(dataclasses.replace(start, preparation=preparation), classes, options.freeze)
    elif options.freeze:
        raise ValueError("--freeze keeps trained weights as they are, and here are none: name some with --weights")
    else:
        model, notes = MobileViTv2(**settings), dataclasses.asdict(preparation) | {"classes": classes}
    with processes(options.device) as device:
        history = train(
            model.to(device),
            training,
            recipe,
            validation,
            run=options.into,
            save_every=options.save_every,
            workers=options.workers,
            bfloat16=options.bfloat16,
            notes=notes,
            progress=sys.stderr.isatty(),
        )
        measured = history.accuracies and history.accuracies[-1] is not None
        last = f", accuracy {history.accuracies[-1]:.4f}" if measured else ""
        place = printable(options.into)
        _say(f"{len(history.losses)} steps, loss {history.losses[-1]:.4f}{last}; weights in {place}")
    return 0


def export_model(options: argparse.Namespace) -> int:
    """Write a trained model to a file for another runtime."""
    weights = _weights(options)
    endings = {ending: to for to, ending in ENDINGS.items()}
    to = options.to or endings.get(Path(options.file).suffix)
    if to is None:
        raise ValueError(f"{printable(options.file)} ends in none of {', '.join(endings)}: say --to which runtime")
    pictures = _calibration(options, weights) if options.quantize else None
    difference = export(
        weights.model.cpu(),
        options.file,
        to,
        weights.preparation.image_size,
        options.dynamic,
        pictures,
        weights.notes_for(weights.classes),
    )
    size = sum(file.stat().st_size for file in [Path(options.file), *Path(options.file).rglob("*")] if file.is_file())
    compared = "not compared" if difference is None else f"logits differ by at most {difference:.1g}"
    _say(f"{printable(options.file)}: {to}, {size / 1e6:.1f} MB, {compared}")
    return 0


def _calibration(options: argparse.Namespace, weights: Pretrained, most: int = 128) -> list[torch.Tensor]:
    """Return some pictures from all over a folder, as the model gets them."""
    if options.quantize == "digits":
        pictures = Pictures(*load_digits("train"))
    else:
        pictures = PictureFolder(options.quantize, preparation=weights.preparation)
    chosen = np.linspace(0, len(pictures) - 1, min(most, len(pictures))).round().astype(int)
    return [pictures[index][0][None] for index in chosen.tolist()]


def _begun(start: Pretrained, classes: Sequence[str], through: str | None) -> tuple[MobileViTv2, dict]:
    """Return a model that begins with trained weights, frozen as asked for, and what its files must say; print both."""
    if start.model.config["in_channels"] != start.preparation.channels:
        raise ValueError(f"{start.name} takes pictures in colour, and the digits are grey")
    notes, head = start.notes_for(classes), ""
    if tuple(classes) != start.folders:
        start = with_new_head(start, len(classes))
        few = classes if len(classes) <= 5 else [*classes[:3], "…"]
        head = f", but with a new head for {', '.join(few)}"
    frozen = frozen_parts(freeze(start.model, through))
    _say(f"begins with {start.name}{head}")
    if frozen:
        _say(f"frozen: {', '.join(frozen)}")
    return start.model, notes


def _digits(options: argparse.Namespace) -> tuple[Pictures, Pictures]:
    if options.validation or options.validation_share:
        raise ValueError("the digits come with validation pictures of their own: leave --validation out")
    return tuple(Pictures(*load_digits(split)) for split in ("train", "test"))


def _folders(
    options: argparse.Namespace, preparation: Preparation, seed: int
) -> tuple[PictureFolder, PictureFolder | None]:
    """Return the pictures for training and, if they are asked for, those for validation."""
    training, validation = PictureFolder(options.data, preparation=preparation), None
    _say_what_is_left_out(training)
    if options.validation is not None:
        try:
            validation = PictureFolder(options.validation, training.classes, preparation)
        except FileError as error:
            reason, unknown, rest = str(error).partition(" in the label map")
            if not unknown:
                raise
            place, first = printable(options.validation), rest.partition(":")[0]
            raise FileError(f"{place}: {reason} in {printable(options.data)}{first}") from error
        _say_what_is_left_out(validation)
    elif options.validation_share is not None:
        training, validation = split_folder(training, options.validation_share, seed)
        _say(f"split by seed {seed}: {len(training)} pictures for training, {len(validation)} for validation")
    return training, validation


def _weights(options: argparse.Namespace) -> Pretrained:
    """Return the chosen weights, with the preparation that the options ask for."""
    names = {width: f"mobilevitv2_{code}" for code, width in WIDTHS.items()}
    sizes = {"image_size": options.image_size, "crop_fraction": getattr(options, "crop_fraction", None)}
    source = options.weights or names.get(1.0 if options.width is None else options.width)
    if source is None:
        known = ", ".join(map(str, names))
        raise ValueError(f"there are no ImageNet weights of width {options.width}: choose one of {known}, or --weights")
    weights = load_pretrained(source, options.download, options.sha256)
    width = weights.model.config["width_multiplier"]
    if options.width is not None and scale_architecture(options.width) != scale_architecture(width):
        raise ValueError(f"{printable(source)} has width {width}, not {options.width}")
    if not weights.classes and options.command is not train_model:
        raise ValueError(f"{printable(source)} has no classifier: it can name no classes")
    preparation = dataclasses.replace(
        weights.preparation, **{key: value for key, value in sizes.items() if value is not None}
    )
    weights.model.to(options.device)
    return dataclasses.replace(weights, preparation=preparation)


def _read_labels(path: str, num_classes: int, twice: bool = True) -> list[str]:
    """Return the lines of a label map, one for each class."""
    name = printable(path)
    try:
        names = Path(path).read_text(encoding="utf-8-sig").rstrip("\r\n").split("\n")
    except UnicodeDecodeError as error:
        raise FileError(f"the label map {name} is not a text in UTF-8") from error
    names = [line.rstrip("\r") for line in names]
    if len(names) != num_classes:
        raise FileError(
            f"the label map {name} has {len(names)} lines, but the model {num_classes} classes: one name a line"
        )
    if not twice and len(set(names)) < len(names):
        double = next(line for line in names if names.count(line) > 1)
        raise FileError(f"the label map {name} has {double!r} twice")
    return names


def _check_confusion(path: str | None, others: Sequence[str | None]) -> None:
    """Raise before the first picture is read if the figure of the confusion matrix cannot be drawn in the end."""
    if path is None:
        return
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"--confusion names a .png file, not {printable(path)}; its numbers go beside it, as .csv")
    for place in (Path(path), Path(path).with_suffix(".csv")):
        if not place.absolute().parent.is_dir():
            raise FileError(f"there is no folder for {printable(place)}")
        if place.is_dir() or not os.access(place.absolute().parent, os.W_OK):
            raise FileError(f"{printable(place)} cannot be written")
        if any(other is not None and place.absolute() == Path(other).absolute() for other in others):
            raise ValueError(f"--confusion would write over {printable(place)}: name another file")
    if importlib.util.find_spec("matplotlib") is None:
        raise RuntimeError("--confusion draws with matplotlib, which is not installed: pip install matplotlib")


def _write_confusion(path: Path, matrix: np.ndarray, classes: Sequence[str]) -> None:
    """Write a confusion matrix as a figure, and as a table with the same name and the ending .csv."""
    from .course import figures  # here, because everything else works without matplotlib

    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(["class / answer", *classes])
    rows.writerows([name, *row] for name, row in zip(classes, matrix.tolist(), strict=True))
    write_whole(path.with_suffix(".csv"), table.getvalue().encode(errors="backslashreplace"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the font does not have; the table has it
        write_whole(path, figures.png(figures.confusion(matrix, classes)))


def _named(line: dict, classes: Sequence[str]) -> dict:
    """Return a wrong answer with the names of its classes."""
    answer = line["answers"][0]
    name = classes[answer] if answer < len(classes) else f"answer {answer}"
    return {
        "picture": line["picture"],
        "class": classes[line["label"]],
        "answer": name,
        "probability": line["probability"],
    }


def _print_classes(rows: list[dict], worst: list[dict]) -> None:
    """Print recall and precision of every class, and the pictures that went most wrong."""
    names = [printable(row["class"]) for row in rows]
    width = max(5, *map(len, names)) if names else 5
    print(f"\n{'class':{width}}  pictures  recall  precision")
    for name, row in zip(names, rows, strict=True):
        recall, precision = ("–" if row[of] is None else f"{row[of]:.1%}" for of in ("recall", "precision"))
        print(f"{name:{width}}  {row['pictures']:8}  {recall:>6}  {precision:>9}")
    for line in worst:
        said = f"is {line['class']}, taken for {line['answer']} ({line['class']}: {line['probability']:.1%})"
        print(f"wrong: {printable(line['picture'])} {printable(said)}")


def _say(text: str) -> None:
    """Print a line, in the first of several processes only."""
    if os.environ.get("RANK", "0") == "0":
        print(printable(text), flush=True)


def _say_what_is_left_out(pictures: PictureFolder) -> None:
    if pictures.left_out:
        more = f" and {len(pictures.left_out) - 1} more" if len(pictures.left_out) > 1 else ""
        _complain(f"left out of {pictures.folder} by name: {pictures.left_out[0]}{more}")


def _json(content: dict) -> str:
    """Return one line of JSON in which é stays é, and what would control a terminal is written out."""
    line = json.dumps(content, ensure_ascii=False)
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in line)


def _complain(text: str) -> None:
    print(printable(text), file=sys.stderr)


def _at_least(least: int):
    def whole_number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {text}")
        return int(text)

    return whole_number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mvit2_lib", description="MobileViTv2 from the command line.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    devices = [device for device, is_there in there.items() if is_there]
    on = {"default": devices[0], "choices": devices, "help": f"where to compute ({devices[0]})"}

    known = argparse.ArgumentParser(add_help=False)
    known.add_argument("--weights", help="a file of weights, 'digits', or one of timm's names")
    known.add_argument("--download", action="store_true", help="fetch weights that are not on this machine yet")
    known.add_argument("--sha256", help="what the hash of the weight file must be")
    known.add_argument("--device", **on)

    answering = argparse.ArgumentParser(add_help=False, parents=[known])
    answering.add_argument("--width", type=float, help="ImageNet weights of this width multiplier (1.0)")
    answering.add_argument("--labels", metavar="FILE", help="one name a line, in the order of the logits")
    answering.add_argument("--image-size", type=_at_least(1), help="side of the model's input in pixels")
    answering.add_argument("--crop-fraction", type=float, help="share of the shorter side that is kept")
    answering.add_argument("--json", action="store_true", help="answer in JSON")

    one = commands.add_parser("predict", parents=[answering], help="say what is in pictures")
    one.add_argument("pictures", nargs="+", metavar="PICTURE")
    one.set_defaults(command=predict)

    two = commands.add_parser("evaluate", parents=[answering], help="top-1 and top-5 accuracy on a folder")
    two.add_argument("folder", metavar="FOLDER", help="holds one folder of pictures for each class")
    two.add_argument("--batch-size", type=_at_least(1), default=32, help="pictures a batch (32)")
    two.add_argument("--workers", type=_at_least(0), default=0, help="processes that read pictures (0)")
    two.add_argument("--record", metavar="FILE", help="write every answer to it, and go on where it ends")
    two.add_argument("--per-class", action="store_true", help="recall and precision of every class, the worst pictures")
    two.add_argument("--confusion", metavar="FILE.png", help="draw which class is taken for which; numbers in FILE.csv")
    two.set_defaults(command=evaluate_folder)

    three = commands.add_parser(
        "train", parents=[known], help="train a model; begun again, it goes on where it was stopped"
    )
    three.add_argument("data", metavar="FOLDER", help="holds one folder of pictures for each class; or 'digits'")
    three.add_argument("--into", metavar="RUN", required=True, help="folder for the state and the weights")
    three.add_argument(
        "--freeze",
        metavar="PART",
        help="train only what comes after it: stem, stages.0 … stages.4, backbone",
    )
    validation = three.add_mutually_exclusive_group()
    validation.add_argument("--validation", metavar="FOLDER", help="pictures to measure the accuracy on")
    validation.add_argument("--validation-share", type=float, metavar="SHARE", help="or a share of the pictures")
    three.add_argument("--width", type=float, help="width multiplier (that of the weights; 0.25 for digits; else 1.0)")
    three.add_argument("--image-size", type=_at_least(1), help="side of the pictures (that of the weights, else 256)")
    three.add_argument("--workers", type=_at_least(0), default=0, help="processes that read pictures (0)")
    three.add_argument(
        "--save-every", type=_at_least(1), default=500, help="steps after which the state is saved (500)"
    )
    three.add_argument("--bfloat16", action="store_true", help="compute in bfloat16 where that is safe")
    for field in dataclasses.fields(Recipe):
        usual, tuned = (getattr(recipe, field.name) for recipe in (Recipe(), FINE_TUNING))
        kind = {"action": argparse.BooleanOptionalAction} if isinstance(usual, bool) else {"type": type(usual)}
        kind |= {"choices": AUGMENTATIONS} if field.name == "augmentation" else {}
        default = f"({usual})" if usual == tuned else f"({usual}; with --weights {tuned})"
        three.add_argument(f"--{field.name.replace('_', '-')}", **kind, help=f"see Recipe {default}")
    three.set_defaults(command=train_model)
    four = commands.add_parser("export", parents=[known], help="write a file for ONNX Runtime, ExecuTorch or Core ML")
    four.add_argument("file", metavar="FILE", help="ends in .onnx, .pte (ExecuTorch) or .mlpackage (Core ML)")
    four.add_argument("--to", choices=ENDINGS, help="the runtime (by the ending of the file)")
    four.add_argument("--width", type=float, help="ImageNet weights of this width multiplier (1.0)")
    four.add_argument("--image-size", type=_at_least(1), help="side of the model's input in pixels")
    four.add_argument("--dynamic", action="store_true", help="any batch, and sides that are multiples of 64 (ONNX)")
    four.add_argument("--quantize", metavar="FOLDER", help="8-bit numbers, with ranges measured on these pictures")
    four.set_defaults(command=export_model)
    return parser


if __name__ == "__main__":
    sys.exit(main())
