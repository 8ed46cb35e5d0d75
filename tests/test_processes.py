"""Several processes compute what one computes."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from micro import QUICK, NeverAsked, digits, exit_code, forked, trained
from shared_run import shared_run
from torch import nn

import mvit2_lib as mv
from mvit2_lib.data.samples import digit_picture
from mvit2_lib.training import loop, state
from mvit2_lib.training.distributed import (
    SynchronisedBatchNorm,
    gathered,
    mean_over_processes,
    processes,
    rank_and_size,
    synchronise,
)
from mvit2_lib.weights import checkpoints

RUN = {"mixup": 0.2, "cutmix": 1.0}


def together(size, function, *arguments):
    """Call a function in so many processes, which find one another as under torchrun, and return their exit codes."""
    meeting = socket.create_server(("127.0.0.1", 0))
    port = meeting.getsockname()[1]

    def serve():
        listening = {"wait_for_workers": False, "master_listen_fd": meeting.fileno()}
        _store = dist.TCPStore("127.0.0.1", port, is_master=True, **listening)
        signal.pause()

    def one(rank):
        about = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in about.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", TORCHELASTIC_USE_AGENT_STORE="True")
        function(*arguments)

    # A process of its own serves the store. A thread of this process could hold a lock of the C library while the next
    # child is forked, and the child would wait for that lock forever (once in about 700 times).
    server = forked(serve)
    try:
        return [exit_code(child) for child in [forked(one, rank) for rank in range(size)]]
    finally:
        os.kill(server, signal.SIGKILL)
        exit_code(server)
        meeting.close()


def joined(function, *arguments):
    with processes("cpu"):
        function(*arguments)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return what one process and two computed, and the folder of each."""
    place = tmp_path_factory.mktemp("runs")
    assert exit_code(forked(lambda: shared_run(place / "one", **RUN))) == 0
    assert together(2, lambda: shared_run(place / "two", **RUN)) == [0, 0]
    return [(json.loads((place / f"{name}.json").read_text()), place / name) for name in ("one", "two")]


def compare(alone, shared):
    # In double precision what rounding does stays small; in single precision AdamW would enlarge it step by step.
    assert shared["losses"] == pytest.approx(alone["losses"], rel=1e-9)
    assert shared["accuracies"] == alone["accuracies"]
    assert shared["weights"] == pytest.approx(alone["weights"], rel=1e-6, abs=1e-6)


def test_two_processes_compute_what_one_computes(runs):
    (alone, _), (shared, _) = runs
    assert len(alone["losses"]) == 4
    assert len(alone["accuracies"]) == 2
    compare(alone, shared)


def test_the_first_process_writes_the_files_and_one_process_can_go_on_with_them(runs):
    (alone, one), (shared, two) = runs
    assert sorted(path.name for path in two.iterdir()) == sorted(path.name for path in one.iterdir())
    states = [torch.load(place / "state.pt", weights_only=True) for place in (one, two)]
    assert states[0]["model"].keys() == states[1]["model"].keys()
    mv.load_model(two / "last.safetensors")
    assert exit_code(forked(lambda: shared_run(two, **RUN))) == 0
    assert json.loads(two.with_suffix(".json").read_text()) == shared


@pytest.mark.slow
def test_two_processes_under_torchrun_compute_what_one_computes(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    results = []
    for arguments, name in (([sys.executable], "one"), (torchrun, "two"), ([sys.executable], "two")):
        process = subprocess.run(
            [*arguments, Path(__file__).parent / "shared_run.py", tmp_path / name],
            capture_output=True,
            text=True,
            timeout=1200,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert process.returncode == 0, process.stderr
        results.append(json.loads((tmp_path / f"{name}.json").read_text()))
    assert len(results[0]["losses"]) == 8
    compare(*results[:2])
    assert results[2]["losses"] == results[1]["losses"]


def normed(norm, images, weights):
    """Return the output of a norm in training, its gradients and its statistics."""
    images = images.clone().requires_grad_()
    output = norm.train()(images)
    (output * weights).sum().backward()
    return [output, images.grad, norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var]


def new_norm():
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(3, momentum=0.3, eps=0.01).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


def norm_of_a_share(images, weights, place):
    rank, _ = rank_and_size()
    half = slice(2 * rank, 2 * rank + 2)
    norm = synchronise(nn.Sequential(new_norm()))[0]
    results = normed(norm, images[half], weights[half])
    torch.save([tensor.detach() for tensor in [*results, norm.num_batches_tracked]], place / f"{rank}.pt")
    norm.eval()
    assert torch.equal(norm(images), nn.BatchNorm2d.forward(norm, images))


def test_a_norm_of_two_processes_is_the_norm_of_all_their_pictures(tmp_path):
    images, weights = (torch.randn(4, 3, 5, 6, dtype=torch.double) for _ in range(2))
    norm = new_norm()
    expected = normed(norm, images * 3 + 1, weights)
    assert together(2, joined, norm_of_a_share, images * 3 + 1, weights, tmp_path) == [0, 0]
    shares = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for index, tensor in enumerate(expected[:2]):  # every process has its share of these
        torch.testing.assert_close(torch.cat([share[index] for share in shares]), tensor)
    for index, tensor in enumerate(expected[2:4], 2):  # DistributedDataParallel takes the mean of these
        torch.testing.assert_close(shares[0][index] + shares[1][index], tensor)
    for index, tensor in enumerate(expected[4:], 4):  # and these are the same everywhere
        for share in shares:
            torch.testing.assert_close(share[index], tensor)
    assert shares[0][6] == norm.num_batches_tracked == 1


def test_only_norms_change_their_forward_and_no_weight_its_name():
    model = mv.MobileViTv2(0.05, num_classes=3)
    before = {name: type(module) for name, module in model.named_modules()}
    weights = model.state_dict()
    synchronise(model)
    for name, module in model.named_modules():
        assert type(module) is (SynchronisedBatchNorm if before[name] is nn.BatchNorm2d else before[name])
    assert list(model.state_dict()) == list(weights)
    images = torch.rand(2, 3, 32, 32)
    plain = mv.MobileViTv2(0.05, num_classes=3)
    plain.load_state_dict(weights)
    assert torch.equal(model.train()(images), plain.train()(images))  # one process alone


def questions(place):
    rank, size = rank_and_size()
    assert size == 3
    assert mean_over_processes(torch.tensor([1.0, 10.0 * rank])).tolist() == [1.0, 10.0]
    assert gathered([rank] * rank) == [1, 2, 2]
    indices = [[index for keys in loop._Plan(30, mv.Recipe(batch_size=6), 0, 5) for index, _ in keys]]
    batches = [list(loop._Plan(30, mv.Recipe(batch_size=6), 0, 5))[step] for step in range(5)]
    assert all(len(batch) == 2 for batch in batches)
    everybody = gathered(indices)
    assert sorted(index for one in everybody for index in one) == list(range(30))  # each by one of them
    (place / f"{rank}.json").write_text(json.dumps(batches))


def test_processes_take_the_mean_gather_in_order_and_share_every_batch(tmp_path):
    assert together(3, joined, questions, tmp_path) == [0, 0, 0]
    shares = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(3)]
    alone = [[[index, list(seed)] for index, seed in keys] for keys in loop._Plan(30, mv.Recipe(batch_size=6), 0, 5)]
    assert [sum(parts, []) for parts in zip(*shares, strict=True)] == alone


def only_one_writes(folder):
    if rank_and_size()[0] > 0:
        state.write_whole = checkpoints.write_whole = loop.only_writer = None  # to call one of them is an error
    trained(QUICK, 32, digits("test", 9), folder)


def test_only_the_first_process_holds_the_folder_and_writes_into_it(tmp_path):
    assert together(2, joined, only_one_writes, tmp_path) == [0, 0]
    assert {"state.pt", "best.safetensors", "last.safetensors", "history.json"} < {p.name for p in tmp_path.iterdir()}


def refusals(folder):
    with pytest.raises(ValueError, match="batch_size 15 cannot be shared out over 2 processes: choose a multiple of 2"):
        trained(mv.Recipe(batch_size=15), model=NeverAsked)
    with pytest.raises(
        ValueError, match="batch_size 18 cannot be .* over 2 processes in pairs: choose a multiple of 4"
    ):
        trained(mv.Recipe(batch_size=18, mixup=0.1), model=NeverAsked)
    pictures = mv.PictureFolder(folder, preparation=mv.Preparation(16, 1.0))
    with pytest.raises(mv.FileError, match=r"^2 of 4 pictures cannot be read, first \S*/a/0.png"):
        trained(mv.Recipe(batch_size=2), pictures, model=lambda: NeverAsked(2, 3))


def test_what_one_process_cannot_use_all_of_them_refuse(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_text("no picture")  # pictures 0 and 2: both are the first process's
        digit_picture(0).save(tmp_path / name / "1.png")
    assert together(2, joined, refusals, tmp_path) == [0, 0]


def test_a_process_alone_belongs_to_no_group(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with processes("cpu") as device:
        assert device == torch.device("cpu")
        assert rank_and_size() == (0, 1)
        assert mean_over_processes(torch.ones(2)).tolist() == [1, 1]
        assert gathered([1, 2]) == [1, 2]
        assert len(trained(QUICK, digits("train", 32))[1].losses) == 2
