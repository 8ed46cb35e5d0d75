"""`load_pretrained` against a stand-in hub on the loopback interface, with the real client in a fresh process."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
            timeout=120,
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
    for part in (hub.address + FILE, "check the network connection", "mv.load_checkpoint(mv.MobileViTv2(0.5)"):
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
