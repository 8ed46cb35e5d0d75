"""Name what is in pictures with an exported file alone: `python run_onnx.py model.onnx picture.jpg …`.

Copy this file to wherever the model goes. It needs onnxruntime, numpy and pillow; neither PyTorch nor this library.
The file of the model knows its classes and how it wants its pictures.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def prepare(image, image_size, crop_fraction, channels, interpolation):
    """Return a picture as the model wants it, `[1, C, H, W]` with values in [0, 1]: resized, its middle cut out."""
    image = ImageOps.exif_transpose(image)
    if "A" in image.mode or "transparency" in image.info:  # transparent pictures are laid on white
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    shorter = int(image_size / crop_fraction)
    size = [max(shorter, shorter * side // min(image.size)) for side in image.size]
    image = image.resize(size, Image.Resampling[interpolation.upper()])
    left, top = (round((side - image_size) / 2) for side in image.size)
    image = image.crop((left, top, left + image_size, top + image_size))
    pixels = np.asarray(image.convert("L") if channels == 1 else image, dtype=np.float32) / 255
    return pixels.reshape(image_size, image_size, channels).transpose(2, 0, 1)[None]


def main():
    """Print the five best answers for every picture."""
    if len(sys.argv) < 3:
        sys.exit("usage: python run_onnx.py model.onnx picture.jpg …")
    model, *pictures = sys.argv[1:]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    classes = json.loads(notes["classes"])
    settings = {name: json.loads(notes[name]) for name in ("image_size", "crop_fraction", "channels")}
    for picture in pictures:
        image = prepare(Image.open(picture), **settings, interpolation=notes["interpolation"])
        logits = session.run(None, {"image": image})[0][0]
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        print(picture)
        for index in np.argsort(-shares, kind="stable")[:5]:
            print(f"  {shares[index]:6.1%}  {classes[index]}")


if __name__ == "__main__":
    main()
