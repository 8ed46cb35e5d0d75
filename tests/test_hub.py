"""`load_pretrained` against a stand-in hub on the loopback interface, with the real client in a fresh process."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jupytext
import pytest
import torch
from references import timm_model
from safetensors.torch import save

import mvit2_lib as mv

FILE = "/timm/mobilevitv2_050.cvnets_in1k/resolve/main/model.safetensors"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

# Runs in the fresh process; prints what happened as JSON.
CLIENT = """
import json, sys, torch, mvit2_lib as mv
try:
    model = mv.load_pretrained(sys.argv[1])
    torch.manual_seed(7)
    with torch.inference_mode():
        logits = model(torch.rand(1, 3, 64, 64))
    print(json.dumps({"sum": logits.double().sum().item(), "training": model.training}))
except Exception as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
"""


class StandInHub:
    """Serves one file as the hub does: the SHA-256 in the ETag, redirects left out."""

    def __init__(self, content):
        self.content, self.etag = content, hashlib.sha256(content).hexdigest()
        self.sent = content  # what really goes over the wire
        self.requests = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, with_body):
                hub.requests.append((self.command, self.path))
                if self.path != FILE:
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("ETag", f'"{hub.etag}"')
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("Content-Length", str(len(hub.content)))
                self.end_headers()
                if with_body:
                    self.wfile.write(hub.sent)
                    self.close_connection = True

            def do_HEAD(self):
                self.answer(with_body=False)

            def do_GET(self):
                self.answer(with_body=True)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def downloads(self):
        return self.requests.count(("GET", FILE))


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(3)
    return timm_model(0.5).state_dict()


@pytest.fixture
def hub(weights):
    hub = StandInHub(save({name: tensor.contiguous() for name, tensor in weights.items()}))
    yield hub
    hub.close()


@pytest.fixture
def ask(tmp_path):
    def ask(hub_address, name="mobilevitv2_050", **environment):
        settings = {"HF_ENDPOINT": hub_address, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        process = subprocess.run(
            [sys.executable, "-c", CLIENT, name],
            env={**os.environ, **settings, "NO_PROXY": "127.0.0.1", **environment},
            capture_output=True,
            text=True,
            timeout=1200,
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout.splitlines()[-1])

    return ask


def blobs(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size > 10_000]


def test_weights_are_fetched_once_verified_and_then_taken_from_the_cache(hub, ask, weights):
    expected = mv.load_checkpoint(mv.MobileViTv2(0.5), weights).eval()
    torch.manual_seed(7)
    with torch.inference_mode():
        expected_sum = expected(torch.rand(1, 3, 64, 64)).double().sum().item()
    first = ask(hub.address)
    assert first == {"sum": pytest.approx(expected_sum, abs=1e-3), "training": False}
    assert hub.downloads() == 1
    assert ask(hub.address) == first
    assert ask(hub.address, HF_HUB_OFFLINE="1") == first
    hub.close()
    assert ask(hub.address) == first  # nobody answers there any more
    assert hub.downloads() == 1


def test_an_unreachable_hub_is_an_offline_error_that_says_what_to_do(hub, ask):
    hub.close()
    answer = ask(hub.address)
    assert answer["error"] == "OfflineError"
    for part in (hub.address + FILE, "check the network connection", "mv.load_model('path/to/model.safetensors')"):
        assert part in answer["message"]
    assert ask(hub.address, HF_HUB_OFFLINE="1")["error"] == "OfflineError"


def test_a_missing_file_is_a_download_error_that_names_it(hub, ask):
    answer = ask(hub.address, "mobilevitv2_050.no_such_tag")
    assert answer["error"] == "DownloadError"
    assert "the hub has no file" in answer["message"]
    assert "no_such_tag" in answer["message"]
    assert hub.downloads() == 0


def test_a_truncated_transfer_is_a_download_error_and_leaves_nothing_in_the_cache(hub, ask, tmp_path):
    hub.sent = hub.content[: len(hub.content) // 2]
    answer = ask(hub.address)
    assert answer["error"] == "DownloadError"
    assert "broke off" in answer["message"]
    assert blobs(tmp_path) == []
    hub.sent = hub.content
    assert "sum" in ask(hub.address)


def test_altered_content_is_a_download_error_and_is_removed_from_the_cache(hub, ask, tmp_path):
    flipped = bytearray(hub.content)
    flipped[-1] ^= 1  # the last bit of the last weight: the file is still a valid checkpoint
    hub.sent = bytes(flipped)
    answer = ask(hub.address)
    assert answer["error"] == "DownloadError"
    assert hashlib.sha256(hub.sent).hexdigest() in answer["message"]
    assert f"the hub publishes {hub.etag}" in answer["message"]
    assert blobs(tmp_path) == []
    hub.sent = hub.content
    assert "sum" in ask(hub.address)


def test_a_cached_file_that_was_altered_later_is_noticed_without_the_hub(hub, ask, tmp_path):
    ask(hub.address)
    hub.close()
    (cached,) = {path.resolve() for path in blobs(tmp_path)}
    content = bytearray(cached.read_bytes())
    content[-1] ^= 1
    cached.chmod(0o644)
    cached.write_bytes(content)
    answer = ask(hub.address)
    assert answer["error"] == "DownloadError"
    assert "removed from the cache" in answer["message"]


def test_the_wrong_width_behind_a_name_is_a_checkpoint_error(hub, ask, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "FILE", FILE.replace("050", "075"))
    answer = ask(hub.address, "mobilevitv2_075")
    assert answer["error"] == "CheckpointError"
    assert (
        "stem.conv.weight has shape (16, 3, 3, 3) in the checkpoint and (24, 3, 3, 3) in the model" in answer["message"]
    )


@pytest.mark.parametrize("links", [True, False], ids=["with links", "links as files"])
def test_the_cache_can_be_carried_to_a_machine_without_a_network(hub, ask, tmp_path, links):
    first = ask(hub.address)
    carried = tmp_path / "carried"
    shutil.copytree(tmp_path / "cache", carried, symlinks=links)
    hub.close()
    assert ask(hub.address, HF_HOME=str(carried)) == first
    assert ask(hub.address, HF_HOME=str(carried), HF_HUB_OFFLINE="1") == first


def test_a_file_brought_by_hand_is_compared_with_the_published_hash(hub, weights, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(hub.content)
    model = mv.load_model(path, sha256=hub.etag)
    expected = mv.load_checkpoint(mv.MobileViTv2(0.5), weights)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))
    path.write_bytes(hub.content[:-1] + bytes([hub.content[-1] ^ 1]))
    with pytest.raises(mv.CheckpointError, match=f"not {hub.etag}: get it again"):
        mv.load_model(path, sha256=hub.etag)


def test_nothing_is_asked_of_the_hub_unless_a_download_is_allowed(hub, tmp_path):
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
    mv.sample_picture("chelsea").save(tmp_path / "cat.png")
    command = [sys.executable, "-m", "mvit2_lib", "predict", tmp_path / "cat.png", "--width", "0.5"]
    refused = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert refused.returncode == 2
    assert "--download" in refused.stderr
    assert not [path for _, path in hub.requests if "mobilevitv2" in path]
    answered = subprocess.run([*command, "--download"], capture_output=True, text=True, env=environment)
    assert answered.returncode == 0, answered.stderr
    assert len(answered.stdout.splitlines()) == 6
    hub.requests.clear()
    again = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert again.stdout == answered.stdout
    assert not [path for _, path in hub.requests if "mobilevitv2" in path]


def test_notebook_06_runs_on_imagenet_weights_from_the_hub(hub, tmp_path):
    """The cells of notebook 06 with another choice, on weights that nobody trained: every comparison must hold."""
    source = Path(__file__).parents[1] / "notebooks" / "source" / "06_pretrained_weights.py"
    code = "\n".join(cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code")
    assert code.count('choice = "digits"\n') == 1
    script = tmp_path / "notebook.py"
    script.write_text(code.replace('choice = "digits"\n', 'choice = "mobilevitv2_050"\n'), encoding="utf-8")
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
    process = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment | {"NO_PROXY": "127.0.0.1"}
    )
    assert process.returncode == 0, process.stderr
    assert "This notebook now runs on the weights 'mobilevitv2_050': α = 0.5, 1,370,593 parameters" in process.stdout
    assert "each of our logits differs from timm's by at most 0.0001" in process.stdout
    assert "stage 3: 2 layers, patches to choose from in each of 4 groups: 256" in process.stdout
    assert process.stdout.count(": right\n") == 5
