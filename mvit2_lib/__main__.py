"""The command line: `python -m mvit2_lib predict`, `evaluate` and `train`. Each explains itself with `--help`.

Exit codes: 0 done; 1 `predict` could not read every picture, or `evaluate` none; 2 not done, with one line that says
why; 130 interrupted.
"""

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from .checkpoints import DIGITS, WIDTHS, checkpoint_notes, load_model, load_pretrained, preprocessing
from .data import DataError, PictureFolder, Pictures, class_folders, load_digits
from .evaluation import SHOWN, evaluate
from .files import replace_file
from .images import ImageError, imagenet_classes, imagenet_synsets, open_image, preprocess
from .layouts import CheckpointError
from .model import MobileViTv2
from .parallel import processes, rank_and_size
from .recipe import Recipe
from .training import train

FILE_ENDINGS = {".safetensors", ".pt", ".pth", ".bin"}


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that knows no é must not end the run
            stream.reconfigure(errors="backslashreplace")
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the answers, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, RuntimeError) as error:
        # From a process that reads pictures comes its whole traceback, with the message in the last line.
        message = str(error).strip().splitlines()[-1] if "Original Traceback" in str(error) else str(error)
        print(f"{type(error).__name__}: {message}", file=sys.stderr)
        return 2


def predict(options: argparse.Namespace) -> int:
    """Print the five best answers for every picture."""
    model, sizes, title, notes = _model(options)
    names = _names(options, title, model.classifier.out_features, notes)
    failures = 0
    # The bar shows itself on a terminal only, and for one picture it would be noise.
    for path in tqdm(options.pictures, unit="picture", disable=True if len(options.pictures) == 1 else None):
        try:
            image = preprocess(open_image(path), **sizes).to(options.device)
        except (ImageError, OSError) as error:
            failures += 1
            problem = f"there is no file {path}" if isinstance(error, FileNotFoundError) else str(error)
            refused = json.dumps({"picture": path, "error": problem}, ensure_ascii=False)
            tqdm.write(refused if options.json else f"{path}\n  {problem}")
            continue
        with torch.inference_mode():
            best = model(image).softmax(dim=1)[0].topk(min(5, len(names)))
        answers = [
            {"class": index, "name": names[index], "probability": round(probability, 6)}
            for probability, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        if options.json:
            tqdm.write(json.dumps({"picture": path, "answers": answers}, ensure_ascii=False))
        else:
            lines = [f"  {answer['probability']:6.1%}  {answer['name']}" for answer in answers]
            tqdm.write("\n".join([path, *lines]))
    return 1 if failures else 0


def evaluate_folder(options: argparse.Namespace) -> int:
    """Print top-1 and top-5 accuracy on a folder with class folders."""
    model, sizes, title, notes = _model(options)
    classes = _label_map(options, title, model.classifier.out_features, notes)
    pictures = PictureFolder(options.folder, classes, **sizes)
    progress = not options.json and sys.stderr.isatty()
    result = evaluate(
        model, pictures, options.batch_size, options.workers, options.record, title=title, progress=progress
    )
    summary = {"weights": title, **result.summary()}
    if options.json:
        print(json.dumps(summary))
    else:
        for name in ("top1", "top5"):
            share = summary[name]
            print(f"{name.replace('top', 'top-')}  {'unknown' if share is None else f'{share:.2%}'}")
        print(f"{result.pictures} pictures, {result.unreadable} unreadable")
    for reason in result.reasons:
        print(f"unreadable: {reason}", file=sys.stderr)
    if result.unreadable > SHOWN:
        print(f"unreadable: and {result.unreadable - SHOWN} more", file=sys.stderr)
    return 0 if result.pictures else 1


def train_model(options: argparse.Namespace) -> int:
    """Train a model, alone or in several processes."""
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Recipe)})
    torch.manual_seed(recipe.seed)  # before the first weights are drawn, and the same in every process
    if options.data == "digits":
        width = DIGITS["width_multiplier"] if options.width is None else options.width
        model = MobileViTv2(**{**DIGITS, "width_multiplier": width})
        notes = preprocessing("digits") | {"classes": [str(digit) for digit in range(10)]}
        training, validation = (Pictures(*load_digits(split)) for split in ("train", "test"))
    else:
        training = PictureFolder(options.data, image_size=options.image_size)
        validation = options.validation and PictureFolder(options.validation, training.classes, options.image_size)
        model = MobileViTv2(1.0 if options.width is None else options.width, num_classes=len(training.classes))
        notes = training.sizes | {"classes": training.classes}
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
        if rank_and_size()[0] == 0:
            replace_file(Path(options.into, "history.json"), json.dumps(dataclasses.asdict(history)).encode())
            last = f", accuracy {history.accuracies[-1]:.4f}" if history.accuracies else ""
            print(f"{len(history.losses)} steps, loss {history.losses[-1]:.4f}{last}; weights in {options.into}")
    return 0


def _model(options: argparse.Namespace) -> tuple[MobileViTv2, dict, str, dict]:
    """Return the chosen model, what its pictures need, its name, and the notes in its file."""
    notes = {}
    names = {width: f"mobilevitv2_{code}" for code, width in WIDTHS.items()}
    weights = options.weights or names.get(1.0 if options.width is None else options.width)
    if weights is None:
        known = ", ".join(map(str, names))
        raise DataError(f"there are no ImageNet weights of width {options.width}: choose one of {known}, or --weights")
    if Path(weights).suffix in FILE_ENDINGS:
        model, title = load_model(weights, options.sha256), Path(weights).name
        if Path(weights).suffix == ".safetensors":
            notes = checkpoint_notes(weights)
        usual = preprocessing("digits" if model.in_channels == 1 else "mobilevitv2_100")
        sizes = {key: notes.get(key, value) for key, value in usual.items()}
    elif options.sha256 is not None:
        raise CheckpointError("--sha256 is for files; what comes from the hub is compared with the hash it publishes")
    else:
        model, sizes, title = load_pretrained(weights, options.download), preprocessing(weights), weights
    if options.width not in (None, model.width_multiplier):
        raise CheckpointError(f"{weights} has width {model.width_multiplier}, not {options.width}")
    if not hasattr(model.classifier, "out_features"):
        raise CheckpointError(f"{weights} has no classifier: it can name no classes")
    given = {"image_size": options.image_size, "crop_fraction": options.crop_fraction}
    sizes |= {key: value for key, value in given.items() if value is not None}
    return model.to(options.device), sizes, title, notes


def _names(options: argparse.Namespace, title: str, num_classes: int, notes: dict) -> list[str]:
    """Return what the answers are called."""
    if options.labels:
        return _read_labels(options.labels, num_classes)
    if len(notes.get("classes", ())) == num_classes:
        return notes["classes"]
    if num_classes == len(imagenet_classes()):
        return list(imagenet_classes())
    digits = [str(number) for number in range(10)]
    return digits if title == "digits" else [f"class {number}" for number in range(num_classes)]


def _label_map(options: argparse.Namespace, title: str, num_classes: int, notes: dict) -> list[str]:
    """Return the names of the class folders in the order of the logits: told, noted in the weights, or well known."""
    if options.labels:
        names = _read_labels(options.labels, num_classes)
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"the label map {options.labels} has {twice!r} twice")
        return names
    if len(notes.get("classes", ())) == num_classes:
        return notes["classes"]
    known = list(imagenet_synsets()) if num_classes == len(imagenet_synsets()) else []
    known = [str(number) for number in range(10)] if title == "digits" else known
    present = class_folders(options.folder)
    if set(present) <= set(known):
        return known
    raise DataError(
        f"{options.folder} has {len(present)} class folders such as {present[0]!r}, and the model {num_classes} "
        "classes: say with --labels FILE which folder is which class, one folder name a line in the order of the logits"
    )


def _read_labels(path: str, num_classes: int) -> list[str]:
    try:
        names = Path(path).read_text(encoding="utf-8-sig").rstrip("\r\n").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"the label map {path} is not a text in UTF-8") from error
    names = [name.rstrip("\r") for name in names]
    if len(names) != num_classes:
        raise DataError(
            f"the label map {path} has {len(names)} lines, but the model {num_classes} classes: one name a line"
        )
    return names


def _positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return int(text)


def _not_negative(text: str) -> int:
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {text}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mvit2_lib", description="MobileViTv2 from the command line.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    devices = ("cuda", "cpu") if torch.cuda.is_available() else ("cpu",)
    device = devices[0]

    answering = argparse.ArgumentParser(add_help=False)
    answering.add_argument("--weights", help="a file (.safetensors, .pt), 'digits', or one of timm's names")
    answering.add_argument("--width", type=float, help="ImageNet weights of this width multiplier (1.0)")
    answering.add_argument("--download", action="store_true", help="fetch weights that are not on this machine yet")
    answering.add_argument("--sha256", help="what the hash of the weight file must be")
    answering.add_argument("--labels", metavar="FILE", help="one name a line, in the order of the logits")
    answering.add_argument("--image-size", type=_positive, help="side of the model's input in pixels")
    answering.add_argument("--crop-fraction", type=float, help="share of the shorter side that is kept")
    answering.add_argument("--device", default=device, choices=devices, help=f"where to compute ({device})")
    answering.add_argument("--json", action="store_true", help="answer in JSON")

    one = commands.add_parser("predict", parents=[answering], help="say what is in pictures")
    one.add_argument("pictures", nargs="+", metavar="PICTURE")
    one.set_defaults(command=predict)

    two = commands.add_parser("evaluate", parents=[answering], help="top-1 and top-5 accuracy on a folder")
    two.add_argument("folder", metavar="FOLDER", help="holds one folder of pictures for each class")
    two.add_argument("--batch-size", type=_positive, default=32, help="pictures a batch (32)")
    two.add_argument("--workers", type=_not_negative, default=0, help="processes that read pictures (0)")
    two.add_argument("--record", metavar="FILE", help="write every answer to it, and go on where it ends")
    two.set_defaults(command=evaluate_folder)

    three = commands.add_parser("train", help="train a model; begun again, it goes on where it was stopped")
    three.add_argument("data", metavar="FOLDER", help="holds one folder of pictures for each class; or 'digits'")
    three.add_argument("--validation", metavar="FOLDER", help="pictures to measure the accuracy on")
    three.add_argument("--into", metavar="RUN", required=True, help="folder for the state and the weights")
    three.add_argument("--width", type=float, help="width multiplier (0.25 for the digits, else 1.0)")
    three.add_argument("--image-size", type=_positive, default=256, help="side of the pictures in pixels (256)")
    three.add_argument("--workers", type=_not_negative, default=0, help="processes that read pictures (0)")
    three.add_argument("--save-every", type=_positive, default=500, help="steps after which the state is saved (500)")
    three.add_argument("--bfloat16", action="store_true", help="compute in bfloat16 where that is safe")
    three.add_argument("--device", default=device, choices=devices, help=f"where to compute ({device})")
    for field in dataclasses.fields(Recipe):
        name, kind = f"--{field.name.replace('_', '-')}", type(field.default)
        three.add_argument(name, type=kind, default=field.default, help=f"see Recipe ({field.default})")
    three.set_defaults(command=train_model)
    return parser


if __name__ == "__main__":
    sys.exit(main())
