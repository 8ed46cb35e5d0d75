"""The live page: its files are gathered for the web site, and served to a class with `make live`."""

import argparse
import functools
import html
import http.server
import io
import json
import shutil
import socket
import sys
from pathlib import Path

import segno
import torch

from mvit2_lib.data.samples import load_digits
from mvit2_lib.deploy.live import LookingModel, attention_graph, attention_layers, looking_graph
from mvit2_lib.weights.pretrained import load_pretrained

HERE = Path(__file__).parent
RUNTIME = {"ort.mjs": "ort.wasm.bundle.min.mjs", "ort.wasm": "ort-wasm-simd-threaded.wasm"}


def build(folder: Path) -> None:
    """Gather what the live page needs: its sources, the graphs, and ONNX Runtime from npm."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "live", folder)
    digits = load_pretrained("digits")
    torch.manual_seed(0)  # the same file each time
    graphs = {name: attention_graph(layer) for name, layer in attention_layers().items()}
    graphs["digits"] = looking_graph(digits.model, 8, digits.preparation.image_size)
    for name, content in graphs.items():
        (folder / f"{name}.onnx").write_bytes(content)
    for name, source in RUNTIME.items():
        shutil.copy(HERE / "node_modules" / "onnxruntime-web" / "dist" / source, folder / name)
    # What is loaded at the press of a button, with the sizes that the page names before.
    loaded = ["worker.js", *RUNTIME, *(f"{name}.onnx" for name in graphs)]
    sizes = {name: (folder / name).stat().st_size for name in loaded}
    (folder / "files.json").write_text(json.dumps(sizes), encoding="utf-8")
    page = (folder / "index.html").read_text(encoding="utf-8")
    facts = held_out(digits.model, digits.preparation.image_size)
    facts["megabytes"] = f"{sum(sizes.values()) / 1e6:.1f}"
    for name, fact in facts.items():
        page = page.replace(f"{{{name}}}", str(fact))
    (folder / "index.html").write_text(page, encoding="utf-8")


def held_out(model: torch.nn.Module, image_size: int) -> dict[str, int]:
    """Return how many held-out digits there are, and how many the model gets right with its own and equal scores."""
    images, labels = load_digits("test")
    looking = LookingModel(model, image_size).eval()
    with torch.inference_mode():
        right = {
            name: int((looking(images, torch.tensor(equal))[0].argmax(dim=1) == labels).sum())
            for name, equal in (("right", 0.0), ("equal", 1.0))
        }
    return {"total": len(labels), **right}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the built site, and /share: the address as a picture that phones read."""

    # Not what the system says: some call scripts plain text, and browsers then refuse them.
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript"}

    def __init__(self, *arguments, address: str, **named):
        self.address = address
        super().__init__(*arguments, **named)

    def do_GET(self):
        if self.path.partition("?")[0].rstrip("/") != "/share":
            super().do_GET()
            return
        content = share_page(self.address).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Say nothing; thirty phones ask for much."""


def share_page(address: str) -> str:
    """Return a page for the projector, with the address as a QR code."""
    picture = io.BytesIO()
    segno.make(address).save(picture, kind="svg", scale=12, xmldecl=False, title=f"QR code of {address}")
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Open this on your phone</title>
<body style="font: 2.5vw system-ui, sans-serif; text-align: center; background: #fff; color: #111">
<main><h1 style="font-size: 1.2em">Open this on your phone</h1>{picture.getvalue().decode()}
<p><a href="{html.escape(address)}">{html.escape(address)}</a></p></main></body></html>"""


def local_address() -> str:
    """Return this machine's address on the local network, or the one that only itself can open."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # an address for examples; nothing is sent, the system only picks a way
            return asked.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def main() -> None:
    """Serve the built site to the local network, and show the address of the live page as a QR code."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    if not (options.folder / "live" / "index.html").exists():
        sys.exit(f"there is no live page in {options.folder}: make site")
    address = f"http://{local_address()}:{options.port}/live/"
    handler = functools.partial(Handler, directory=options.folder, address=address)
    try:
        server = http.server.ThreadingHTTPServer(("", options.port), handler)
    except OSError as error:
        sys.exit(f"port {options.port} cannot be used ({error.strerror}): make live PORT={options.port + 1}")
    with server:
        segno.make(address).terminal(compact=True)
        print(f"The live page:       {address}")
        print(f"For the projector:   http://localhost:{options.port}/share")
        if "127.0.0.1" in address:
            print("This machine is in no network, so no phone can reach it.")
        print("Phones must be in the same network as this machine. Ctrl-C ends it.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
