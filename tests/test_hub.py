"""`load_pretrained` against a stand-in hub on the loopback interface, with the hub's real client.

Most tests ask from this process, with the client's settings patched and its waits between two tries left out. One asks
from a fresh process that gets its settings from the environment, as a user's does; the long ones wait as well.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import jupytext
import pytest
import torch
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http
from PIL import Image
from references import timm_model
from safetensors.torch import save

import mvit2_lib as mv
from mvit2_lib.__main__ import main

FILE = "/timm/mobilevitv2_050.cvnets_in1k/resolve/main/model.safetensors"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BY_HAND = "Or download model.safetensors on another machine and load it with mv.load_pretrained('path/to/model.saf"

# Runs in the fresh process; prints what happened as JSON.
CLIENT = """
import json, sys, torch, mvit2_lib as mv
try:
    model = mv.load_pretrained(sys.argv[1]).model
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
        self.status = 200
        self.requests, self.tokens = [], []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, with_body):
                hub.requests.append((self.command, self.path))
                token = self.headers.get("Authorization")
                if token:
                    hub.tokens.append(token)
                if token or hub.status != 200:  # the hub refuses a token that has run out, also for public files
                    self.send_response(401 if token else hub.status)
                    if token:
                        self.send_header("X-Error-Message", "Invalid credentials in Authorization header")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
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
        threading.Thread(target=lambda: self.server.serve_forever(poll_interval=0.02), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        _http.close_session()  # a connection that was kept open would still be answered

    def downloads(self):
        return self.requests.count(("GET", FILE))

    def asked_for_weights(self):
        return [path for _, path in self.requests if "mobilevitv2" in path]


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(3)
    return timm_model(0.5).state_dict()


@pytest.fixture(scope="module")
def content(weights):
    return save({name: tensor.contiguous() for name, tensor in weights.items()})


@pytest.fixture
def hub(content):
    hub = StandInHub(content)
    yield hub
    hub.close()


@pytest.fixture
def client(hub, tmp_path, monkeypatch):
    """Point the client of this process at the stand-in, with an empty cache; return a way to change its settings."""

    def settings(cache="cache", offline=False):
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / cache / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    # The client tries again with pauses of 1 to 8 seconds: without them, in its own modules only.
    for module in (_http, file_download):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda seconds: None, time=time.time))
    settings()
    _http.close_session()
    yield settings
    _http.close_session()


@pytest.fixture
def ask(client):
    """Load weights in this process; return what happened, as the fresh process prints it."""

    def ask(name="mobilevitv2_050"):
        try:
            model = mv.load_pretrained(name).model
        except (ValueError, OSError) as error:
            return {"error": type(error).__name__, "message": str(error)}
        torch.manual_seed(7)
        with torch.inference_mode():
            return {"sum": model(torch.rand(1, 3, 64, 64)).double().sum().item(), "training": model.training}

    return ask


@pytest.fixture
def fresh(hub, tmp_path):
    """Run a fresh process with the stand-in hub in its environment."""

    def fresh(*command, **environment):
        settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        return subprocess.run(
            [sys.executable, *command],
            env={**os.environ, **settings, "NO_PROXY": "127.0.0.1", **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return fresh


def altered(content):
    """Flip the last bit of the last weight: the file is still a valid checkpoint."""
    return content[:-1] + bytes([content[-1] ^ 1])


def blobs(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size > 10_000]


def tree(folder):
    """Return everything below a folder: what links say, and what files hold."""
    return {
        path.relative_to(folder): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def snapshot(tmp_path):
    """Lay out a cache by hand, and return the place where the weights belong."""
    repository = tmp_path / "cache" / "hub" / "models--timm--mobilevitv2_050.cvnets_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    return repository / "snapshots" / COMMIT / "model.safetensors"


def test_weights_are_fetched_once_verified_and_then_taken_from_the_cache(hub, client, ask, weights):
    expected = mv.load_checkpoint(mv.MobileViTv2(0.5), weights).eval()
    torch.manual_seed(7)
    with torch.inference_mode():
        expected_sum = expected(torch.rand(1, 3, 64, 64)).double().sum().item()
    first = ask()
    assert first == {"sum": pytest.approx(expected_sum, abs=1e-3), "training": False}
    assert hub.downloads() == 1
    assert ask() == first
    client(offline=True)
    assert ask() == first
    client(offline=False)
    hub.close()
    assert ask() == first  # nobody answers there any more
    assert hub.downloads() == 1


def test_a_fresh_process_finds_the_hub_and_its_cache_where_the_environment_says(hub, ask, fresh):
    answer = fresh("-c", CLIENT, "mobilevitv2_050", HF_TOKEN="hf_ran_out")
    assert json.loads(answer.stdout.splitlines()[-1]) == ask(), answer.stderr
    assert hub.downloads() == 1  # the cache that the environment names is the one that this process was told
    assert hub.tokens == []


@pytest.mark.slow
def test_a_fresh_process_waits_for_an_unreachable_hub_and_then_says_what_to_do(hub, fresh):
    hub.close()
    answer = json.loads(fresh("-c", CLIENT, "mobilevitv2_050").stdout.splitlines()[-1])
    assert answer["error"] == "RetryError"
    assert "check the network connection" in answer["message"]


@pytest.mark.slow
def test_a_fresh_process_tries_a_truncated_transfer_again_and_leaves_nothing_in_the_cache(hub, fresh, tmp_path):
    hub.sent = hub.content[: len(hub.content) // 2]
    answer = json.loads(fresh("-c", CLIENT, "mobilevitv2_050").stdout.splitlines()[-1])
    assert answer["error"] == "RetryError"
    assert "broke off" in answer["message"]
    assert blobs(tmp_path) == []


def test_the_weights_come_with_imagenets_classes_and_the_preparation_of_their_size(client, ask, content, monkeypatch):
    ours = mv.load_pretrained("mobilevitv2_050")
    assert (ours.name, ours.notes) == ("mobilevitv2_050", {})
    assert (ours.classes[281], ours.folders[281]) == ("tabby, tabby cat", "n02123045")
    assert ours.preparation == mv.Preparation(256, 0.888, 3, "bicubic")
    place = FILE.replace("_050.cvnets_in1k", "_050.cvnets_in22k_ft_in1k_384")
    monkeypatch.setattr(sys.modules[__name__], "FILE", place)
    larger = mv.load_pretrained("mobilevitv2_050.cvnets_in22k_ft_in1k_384")
    assert larger.preparation == mv.Preparation(384, 1.0, 3, "bicubic")


def test_an_unreachable_hub_is_an_error_that_says_what_to_do(hub, client, ask):
    hub.close()
    answer = ask()
    assert answer["error"] == "RetryError"
    for part in (hub.address + FILE, "check the network connection", "then try again", BY_HAND):
        assert part in answer["message"]


def test_where_asking_is_forbidden_the_error_says_so(hub, client, ask):
    client(offline=True)
    answer = ask()
    assert answer["error"] == "RetryError"
    for part in (hub.address + FILE, "is not in the cache, and HF_HUB_OFFLINE forbids to ask for it", BY_HAND):
        assert part in answer["message"]
    assert hub.requests == []


def test_a_missing_file_is_an_error_that_names_it(hub, ask):
    answer = ask("mobilevitv2_050.no_such_tag")
    assert answer["error"] == "RetryError"
    assert "the hub has no file" in answer["message"]
    assert "no_such_tag" in answer["message"]
    assert hub.downloads() == 0


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_hub_that_refuses_is_quoted_and_the_network_is_not_blamed(hub, ask, status):
    hub.status = status
    answer = ask()
    assert answer["error"] == "RetryError"
    assert f"the hub answered {status} for {hub.address}{FILE}, so the fault is not your network's" in answer["message"]
    assert "check the network" not in answer["message"]
    hub.status = 200
    good = ask()
    hub.status = status
    assert ask() == good  # what is in the cache needs nobody


def test_a_token_that_has_run_out_is_not_sent(hub, ask, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("hf_ran_out")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", "hf_ran_out")
    with pytest.raises(huggingface_hub.errors.HfHubHTTPError):  # by itself, the client sends it and is refused
        huggingface_hub.hf_hub_download("timm/mobilevitv2_050.cvnets_in1k", "model.safetensors")
    assert hub.tokens
    hub.tokens.clear()
    assert "sum" in ask()
    assert hub.tokens == []


def test_a_truncated_transfer_is_an_error_and_leaves_nothing_in_the_cache(hub, ask, tmp_path):
    hub.sent = hub.content[: len(hub.content) // 2]
    answer = ask()
    assert answer["error"] == "RetryError"
    assert f"the download of {hub.address}{FILE} broke off" in answer["message"]
    assert blobs(tmp_path) == []
    hub.sent = hub.content
    assert "sum" in ask()


def test_altered_content_is_an_error_each_time_until_the_hub_sends_the_published_file(hub, client, ask):
    hub.sent = altered(hub.content)
    for offline in (False, False, True):
        client(offline=offline)
        answer = ask()
        assert answer["error"] == "RetryError"
        assert f"has SHA-256 {hashlib.sha256(hub.sent).hexdigest()}" in answer["message"]
        assert f"should have {hub.etag}: it is not used" in answer["message"]
    client(offline=False)
    hub.sent = hub.content
    assert "sum" in ask()
    downloads = hub.downloads()
    assert "sum" in ask()
    assert hub.downloads() == downloads  # the published file took the place of the altered one


@pytest.mark.parametrize("download", [True, False])
def test_a_cached_file_that_was_altered_later_is_noticed_without_the_hub(hub, client, ask, tmp_path, download):
    ask()
    hub.close()
    (cached,) = {path.resolve() for path in blobs(tmp_path)}
    cached.chmod(0o644)
    cached.write_bytes(altered(hub.content))
    before = tree(tmp_path / "cache")
    with pytest.raises(mv.RetryError, match=f"model.safetensors in the cache has SHA-256 .* should have {hub.etag}"):
        mv.load_pretrained("mobilevitv2_050", download=download)
    assert tree(tmp_path / "cache") == before


def test_a_bad_file_of_the_caches_own_is_fetched_anew_and_nothing_else_is_touched(hub, ask, tmp_path):
    good = ask()
    (cached,) = {path.resolve() for path in blobs(tmp_path)}
    other = tmp_path / "cache" / "hub" / "models--somebody--else" / "blobs" / ("a" * 64)
    other.parent.mkdir(parents=True)
    other.write_bytes(b"another model")
    (cached.parent / ("b" * 64)).write_bytes(b"another file of this repository")
    before = tree(tmp_path / "cache")
    cached.chmod(0o644)
    cached.write_bytes(altered(hub.content))
    assert ask() == good
    assert hub.downloads() == 2
    assert tree(tmp_path / "cache") == before


def a_link(place, own):
    place.symlink_to(own)


def a_link_to_a_link_in_the_cache(place, own):
    blob = place.parents[2] / "blobs" / ("c" * 64)
    blob.parent.mkdir()
    blob.symlink_to(own)
    place.symlink_to(blob)


def a_plain_file(place, own):
    shutil.copyfile(own, place)


def a_plain_file_among_the_blobs(place, own):
    """A snapshot that is a link to the folder in which the cache keeps its own files."""
    blobs = place.parents[2] / "blobs"
    blobs.mkdir()
    place.parent.rmdir()
    place.parent.symlink_to(blobs)
    shutil.copyfile(own, blobs / place.name)


@pytest.mark.parametrize("put", [a_link, a_link_to_a_link_in_the_cache, a_plain_file, a_plain_file_among_the_blobs])
def test_a_file_of_the_users_own_in_the_cache_is_refused_and_left_alone(hub, client, ask, tmp_path, put):
    own = tmp_path / "mine" / "weights.safetensors"
    own.parent.mkdir()
    own.write_bytes(altered(hub.content))
    place = snapshot(tmp_path)
    put(place, own)
    before = tree(tmp_path)
    for _ in range(2):
        answer = ask()
        assert answer["error"] == "RetryError"
        assert f"{place} is not what the hub publishes at {hub.address}{FILE}, and may be yours" in answer["message"]
    assert tree(tmp_path) == before
    assert hub.downloads() == 0


def test_a_file_of_the_users_own_that_is_the_published_one_is_used_where_it_lies(hub, ask, tmp_path):
    own = tmp_path / "weights.safetensors"
    own.write_bytes(hub.content)
    snapshot(tmp_path).symlink_to(own)
    assert "sum" in ask()
    assert hub.downloads() == 0


def test_the_wrong_width_behind_a_name_is_an_error_of_the_file(hub, ask, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "FILE", FILE.replace("050", "075"))
    answer = ask("mobilevitv2_075")
    assert answer["error"] == "FileError"
    assert "the weights behind mobilevitv2_075 have width 0.5, not 0.75" in answer["message"]


@pytest.mark.parametrize("links", [True, False], ids=["with links", "links as files"])
def test_the_cache_can_be_carried_to_a_machine_without_a_network(hub, client, ask, tmp_path, links):
    first = ask()
    shutil.copytree(tmp_path / "cache", tmp_path / "carried", symlinks=links)
    shutil.rmtree(tmp_path / "cache")
    hub.close()
    client("carried")
    assert ask() == first
    client("carried", offline=True)
    assert ask() == first


def test_a_file_brought_by_hand_is_compared_with_the_published_hash(hub, weights, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(hub.content)
    expected = mv.load_checkpoint(mv.MobileViTv2(0.5), weights)
    for model in (mv.load_model(path, hub.etag), mv.load_pretrained(path, sha256=hub.etag.upper()).model):
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))
    path.write_bytes(altered(hub.content))
    for load in (mv.load_model, mv.load_pretrained):
        with pytest.raises(mv.FileError, match=f"model.safetensors has SHA-256 .*, not {hub.etag}: get it again"):
            load(path, sha256=hub.etag)
    with pytest.raises(ValueError, match="sha256 is for files"):
        mv.load_pretrained("mobilevitv2_050", sha256=hub.etag)


def test_nothing_is_asked_of_the_hub_unless_a_download_is_allowed(hub, client, tmp_path, capsys):
    picture = tmp_path / "cat.png"
    mv.sample_picture("chelsea").resize((64, 64)).save(picture)
    command = ["predict", str(picture), "--width", "0.5"]
    assert main(command) == 2
    assert "--download" in capsys.readouterr().err
    assert hub.requests == []
    assert main([*command, "--download"]) == 0
    answered = capsys.readouterr().out
    assert len(answered.splitlines()) == 6
    assert hub.asked_for_weights()
    hub.requests.clear()
    assert main(command) == 0
    assert capsys.readouterr().out == answered
    assert hub.requests == []


NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "source" / "06_pretrained_weights.py"


def test_notebook_06_asks_for_its_weights_by_one_name():
    """The short form of the next test: the choice is one line, which it replaces, and leads to `load_pretrained`."""
    code = "\n".join(cell.source for cell in jupytext.read(NOTEBOOK).cells if cell.cell_type == "code")
    assert code.count('choice = "digits"\n') == 1
    assert code.count("load_pretrained(choice") == 1


@pytest.mark.slow
def test_notebook_06_runs_on_imagenet_weights_from_the_hub(hub, fresh, tmp_path):
    """The cells of notebook 06 with another choice, on weights that nobody trained: every comparison must hold."""
    code = "\n".join(cell.source for cell in jupytext.read(NOTEBOOK).cells if cell.cell_type == "code")
    assert code.count('choice = "digits"\n') == 1
    script = tmp_path / "notebook.py"
    script.write_text(code.replace('choice = "digits"\n', 'choice = "mobilevitv2_050"\n'), encoding="utf-8")
    process = fresh(script)
    assert process.returncode == 0, process.stderr
    assert "weights 'mobilevitv2_050': α = 0.5, 1,370,593 parameters" in process.stdout
    assert "each of our logits differs from timm's by at most 0.0001" in process.stdout
    assert "stage 3: each of 2 layers chooses from 256 patches" in process.stdout
    assert process.stdout.count(": right\n") == 5


def test_fine_tuning_begins_with_weights_from_the_hub_and_says_whose_they_are(client, content, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    for label, name in enumerate(("ant hill", "bee")):
        (pictures / name).mkdir(parents=True)
        for number in range(3):
            Image.new("L" if number else "RGB", (40, 30), 20 + 90 * label + 10 * number).save(
                pictures / name / f"{number}.png"
            )
    command = ["train", str(pictures), "--weights", "mobilevitv2_050", "--image-size", "32", "--epochs", "1"]
    settings = ["--batch-size", "2", "--freeze", "stages.3", "--into", str(tmp_path / "run"), "--device", "cpu"]
    assert main([*command, *settings]) == 2
    assert "nobody asked for a download" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*command, *settings, "--download"]) == 0
    assert "begins with mobilevitv2_050, but with a new head for ant hill, bee" in capsys.readouterr().out
    trained = mv.load_pretrained(tmp_path / "run" / "last.safetensors")
    assert trained.classes == ("ant hill", "bee")
    assert trained.preparation == mv.Preparation(image_size=32)
    assert trained.notes["parent"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert "ml-cvnets" in trained.license
    before, after = mv.load_pretrained("mobilevitv2_050").model.state_dict(), trained.model.state_dict()
    for name in before:
        if name.startswith(("stem.", "stages.0.", "stages.1.", "stages.2.", "stages.3.")):
            assert torch.equal(before[name], after[name]), name
