"""Measurements are interleaved and warmed up, end with clear errors, and lose nothing; their records can be kept."""

import io
import math
import statistics
import sys
import time
import types

import pytest
import torch

import mvit2_lib as mv
from mvit2_lib import cost, records, timing
from mvit2_lib.records import Measurement, Slope, Timings


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def quick(log=None, name=""):
    """Return a contestant that writes its calls into a log."""

    def prepare(size):
        def function():
            if log is not None:
                log.append((name, size))
            spin(0.003)

        return function

    return prepare


def measure(contestants, sizes, **options):
    return timing.measure(contestants, sizes, **({"progress": False, "rounds": 2} | options))


def test_every_round_times_every_contestant_at_every_size_after_a_warm_up():
    log = []
    timings = measure({"a": quick(log, "a"), "b": quick(log, "b")}, [1, 2], rounds=3)
    one_round = [("a", 1), ("a", 1), ("b", 1), ("b", 1), ("a", 2), ("a", 2), ("b", 2), ("b", 2)]  # each after a call
    assert log[-3 * len(one_round) :] == 3 * one_round
    assert set(log[: -3 * len(one_round)]) == set(one_round)
    assert [(m.name, m.size, len(m.seconds)) for m in timings.measurements] == [
        ("a", 1, 3),
        ("a", 2, 3),
        ("b", 1, 3),
        ("b", 2, 3),
    ]


def test_the_seconds_of_one_call_are_measured_whether_it_is_long_or_short():
    timings = measure({"half": lambda size: lambda: spin(size / 1e5)}, [20, 500], rounds=5)
    assert 2e-4 <= timings["half", 20].best < 4e-4
    assert 5e-3 <= timings["half", 500].best < 10e-3


def test_making_the_input_is_not_part_of_the_time():
    def prepare(size):
        spin(0.1)
        return lambda: spin(0.001)

    assert measure({"a": prepare}, [1], rounds=5)["a", 1].best < 0.02


def test_threads_are_set_while_measuring_and_restored_after():
    seen = set()
    torch.set_num_threads(2)
    measure({"a": lambda size: lambda: seen.add(torch.get_num_threads()) or spin(0.001)}, [1])
    assert seen == {1}
    assert torch.get_num_threads() == 2


def test_a_progress_bar_is_shown_and_cleared(capsys):
    measure({"a": quick()}, [1, 2], progress=True)
    shown = capsys.readouterr().err
    assert "measuring" in shown
    assert shown.endswith("\r")
    measure({"a": quick()}, [1, 2], progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sizes": []}, ValueError, "there are no sizes: give at least one"),
        ({"sizes": [4, 2]}, ValueError, r"the sizes must grow, but they are \[4, 2\]: sort them"),
        ({"sizes": [2, 2]}, ValueError, "must grow"),
        ({"sizes": [2.5, 3]}, ValueError, "a size must be a positive whole number, not 2.5"),
        ({"sizes": [0, 3]}, ValueError, "a size must be a positive whole number, not 0"),
        ({"contestants": {}}, ValueError, "nothing to measure"),
        (
            {"contestants": {"a": torch.ones(2)}},
            TypeError,
            "contestant 'a' must be a function of the size, not a Tensor",
        ),
        ({"rounds": 0}, ValueError, "rounds must be a positive whole number, not 0"),
        ({"threads": 1.5}, ValueError, "threads must be a positive whole number, not 1.5"),
        ({"device": "tpu"}, ValueError, "no device 'tpu': choose 'cpu' or 'cuda'"),
    ],
)
def test_a_bad_request_is_refused_before_anything_runs(change, error, message):
    log = []
    request = {"contestants": {"a": quick(log)}, "sizes": [1, 2]} | change
    with pytest.raises(error, match=message):
        timing.measure(**request)
    assert log == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_cuda_where_there_is_none_is_refused():
    with pytest.raises(ValueError, match=r"no CUDA GPU on this machine: measure with device='cpu'"):
        measure({"a": quick()}, [1], device="cuda")


def fails_from(limit, error=MemoryError):
    def prepare(size):
        if size >= limit:
            raise error(f"no room for {size}\nand a second line")
        return lambda: spin(0.001)

    return prepare


def test_a_contestant_that_raises_is_left_out_from_there_on_and_nothing_else_is_lost():
    with pytest.raises(timing.MeasurementError) as caught:
        measure({"a": quick(), "big": fails_from(4)}, [1, 2, 4, 8])
    assert str(caught.value) == (
        "'big' raised MemoryError at size 4: no room for 4. "
        "What was measured is not lost: it is in the .timings of this error"
    )
    timings = caught.value.timings
    assert timings.sizes("a") == [1, 2, 4, 8]
    assert timings.sizes("big") == [1, 2]
    assert {len(measurement.seconds) for measurement in timings.measurements} == {2}


def test_a_contestant_that_raises_in_a_later_round_keeps_what_it_had():
    calls = []

    def prepare(size):
        def function():
            calls.append(size)
            if len(calls) > 8:
                raise RuntimeError("tired")
            spin(0.003)

        return function

    with pytest.raises(timing.MeasurementError, match="'a' raised RuntimeError at size 1: tired") as caught:
        measure({"a": prepare, "b": quick()}, [1, 2], rounds=3)
    assert caught.value.timings.sizes("b") == [1, 2]
    assert len(caught.value.timings["b", 2].seconds) == 3
    assert len(caught.value.timings["a", 1].seconds) == 1


def test_an_interruption_keeps_the_rounds_that_are_complete():
    calls = []

    def prepare(size):
        def function():
            calls.append(size)
            if len(calls) == 10:
                raise KeyboardInterrupt
            spin(0.003)

        return function

    with pytest.raises(timing.MeasurementError, match="interrupted") as caught:
        measure({"a": prepare}, [1, 2], rounds=50)
    assert len(caught.value.timings["a", 1].seconds) >= 1


def test_what_is_not_a_function_is_named():
    with pytest.raises(timing.MeasurementError, match="'a' raised TypeError at size 3: it must return a function"):
        measure({"a": lambda size: torch.ones(size)}, [3, 5])


@pytest.mark.parametrize("k", [64, 200, 1000])
def test_counted_bytes_are_what_the_allocator_hands_out(k):
    d, heads, p = 48, 6, 40
    layers = {
        cost.multi_head_bytes(k, d, heads): mv.MultiHeadSelfAttention(d, heads),
        cost.linformer_bytes(k, d, p, heads): mv.LinformerSelfAttention(d, heads, k, p),
        cost.separable_bytes(k, d): mv.SeparableSelfAttention(d),
    }
    x = torch.randn(1, k, d)
    with torch.inference_mode():
        for counted, layer in layers.items():
            assert timing.peak_bytes(lambda layer=layer: layer(x)) == counted


def test_peak_bytes_counts_what_is_held_at_once_not_what_is_allocated_in_all():
    def function():
        for _ in range(3):
            torch.ones(1000)
        pair = torch.ones(500), torch.ones(700)
        return pair

    assert timing.peak_bytes(function) == 4 * 1200


def test_memory_is_recorded_when_asked_for():
    contestants = {"a": lambda size: lambda: torch.ones(size)}
    assert measure(contestants, [100], memory=True)["a", 100].peak_bytes == 400
    assert measure(contestants, [100])["a", 100].peak_bytes is None


def test_the_breakdown_names_operators_longest_first():
    a, b = torch.randn(300, 300), torch.randn(300)
    torch.set_num_threads(2)
    operators = timing.breakdown(lambda: (a @ a) + b)
    assert torch.get_num_threads() == 2
    assert next(iter(operators)) == "aten::mm"
    assert list(operators.values()) == sorted(operators.values(), reverse=True)
    assert 0 < operators["aten::add"] < operators["aten::mm"]


def test_the_contestants_are_the_four_attentions_and_take_gradients_on_request():
    contestants = timing.attentions(d=8, heads=2, p=3)
    assert list(contestants) == ["multi-head, explicit", "multi-head, fused", "Linformer", "separable"]
    for name in contestants:
        forward = contestants[name](16)
        both = timing.attentions(d=8, heads=2, p=3, backward=True)[name](16)
        assert not any("Backward" in operator for operator in timing.breakdown(forward, repeats=1))
        assert any("Backward" in operator for operator in timing.breakdown(both, repeats=1))


class FakeGPU:
    """Stands in for `torch.cuda`: kernels take time on the device's own clock, and calls return at once."""

    def __init__(self):
        self.device_clock = self.allocated = self.peak = 0
        self.waits = 0
        gpu = self

        class Event:
            def __init__(self, enable_timing):
                assert enable_timing
                self.time = None

            def record(self):
                self.pending = gpu.device_clock

            def synchronize(self):
                gpu.waits += 1
                self.time = self.pending

            def elapsed_time(self, end):
                assert end.time is not None, "read before the work was done"
                return 1e3 * (end.pending - self.pending)

        self.cuda = types.SimpleNamespace(
            Event=Event,
            is_available=lambda: True,
            get_device_name=lambda: "Stand-in GPU",
            memory_allocated=lambda: self.allocated,
            max_memory_allocated=lambda: self.peak,
            reset_peak_memory_stats=lambda: setattr(self, "peak", self.allocated),
            synchronize=lambda: setattr(self, "waits", self.waits + 1),
        )

    def kernel(self, size):
        self.device_clock += 1e-3 * size
        self.peak = max(self.peak, self.allocated + 100 * size)


def test_on_cuda_time_is_the_device_time_between_two_events_and_memory_its_allocator_s(monkeypatch):
    gpu = FakeGPU()
    gpu.allocated = 5000
    monkeypatch.setattr(torch, "cuda", gpu.cuda)
    timings = measure({"a": lambda size: lambda: gpu.kernel(size)}, [1, 7], device="cuda", memory=True, rounds=3)
    assert timings["a", 7].seconds == pytest.approx([7e-3] * 3)
    assert timings["a", 1].seconds == pytest.approx([1e-3] * 3)
    assert timings["a", 7].peak_bytes == 700
    assert timings.machine.startswith("Stand-in GPU, PyTorch")
    assert gpu.waits >= 2 * (3 + 1)


def made_up(slope=1.0, names=("a",), sizes=(64, 128, 256, 512)):
    rows = [
        Measurement(name, size, (3e-6 * size**slope, 2e-6 * size**slope, 5e-6 * size**slope), 4 * size)
        for name in names
        for size in sizes
    ]
    return Timings("a machine", tuple(rows))


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_the_slope_of_a_power_law_is_its_exponent(exponent):
    found = made_up(exponent).slope("a")
    assert found.value == pytest.approx(exponent)
    assert found.error == pytest.approx(0, abs=1e-6)


def test_the_uncertainty_is_the_standard_error_of_the_fit():
    from scipy.stats import linregress

    sizes, seconds = [64, 128, 256, 512, 1024], [1.1, 1.9, 4.4, 7.2, 17.0]
    expected = linregress([math.log(size) for size in sizes], [math.log(second) for second in seconds])
    found = records.slope(sizes, seconds)
    assert (found.value, found.error) == pytest.approx((expected.slope, expected.stderr))
    assert str(Slope(0.934, 0.021)) == "0.93 ± 0.02"


def test_two_points_have_a_slope_of_unknown_uncertainty():
    assert records.slope([10, 1000], [1, 100]) == Slope(pytest.approx(1.0), math.inf)


def test_a_slope_can_be_taken_of_a_part():
    rows = [Measurement("a", size, (max(1000, size) * 1e-6,)) for size in (10, 100, 1000, 2000, 4000, 8000)]
    assert Timings("", tuple(rows)).slope("a", smallest=1000).value == pytest.approx(1)
    assert Timings("", tuple(rows)).slope("a", largest=1000).value == pytest.approx(0)


@pytest.mark.parametrize(
    ("sizes", "seconds", "message"),
    [
        ([], [], "a slope needs at least two sizes, not "),
        ([64], [0.1], r"a slope needs at least two sizes, not \[64\]"),
        ([64, 64], [0.1, 0.2], "at least two sizes"),
        ([64, 128], [0.1], "there are 2 sizes and 1 times"),
        ([64, 128], [0.1, 0.0], "above zero"),
    ],
)
def test_a_slope_of_too_little_is_refused(sizes, seconds, message):
    with pytest.raises(ValueError, match=message):
        records.slope(sizes, seconds)


def test_the_crossover_is_read_off_between_the_points():
    sizes = [16, 64, 256, 1024]
    linear, quadratic = [size * 100 for size in sizes], [size**2 for size in sizes]
    assert records.crossover(sizes, quadratic, linear) == pytest.approx(100)
    assert records.crossover(sizes, linear, quadratic) is None  # ahead at first, and behind in the end
    assert records.crossover(sizes, [1, 1, 1, 1], [2, 2, 2, 2]) is None
    assert records.crossover(sizes, [2, 2, 2, 2], [1, 1, 1, 1]) is None


def test_the_ratio_is_the_median_of_the_rounds():
    rows = Measurement("slow", 8, (4.0, 9.0, 100.0)), Measurement("fast", 8, (2.0, 3.0, 1.0))
    assert Timings("", rows).ratio("slow", "fast", 8) == statistics.median([2, 3, 100])


def test_the_shortest_round_counts():
    assert made_up().seconds("a", [64, 128]) == pytest.approx([128e-6, 256e-6])


def test_records_survive_being_saved(tmp_path):
    timings = made_up(names=("a", "multi-head, ä"))
    timings.save(tmp_path / "timings.json")
    assert Timings.load(tmp_path / "timings.json") == timings


@pytest.mark.parametrize("content", ["", "[]", '{"machine": "x"}', '{"machine": "x", "measurements": [{"name": 1}]}'])
def test_a_file_without_records_is_refused(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ValueError, match=r"other.json does not hold timings"):
        Timings.load(tmp_path / "other.json")


def test_what_was_not_measured_is_said():
    with pytest.raises(KeyError, match="no measurement of 'b' at size 64"):
        made_up()["b", 64]


def test_the_command_writes_records_that_name_the_machine(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    timing.main([str(tmp_path / "here.json"), "--largest", "128"])
    timings = Timings.load(tmp_path / "here.json")
    assert timings.names == list(timing.attentions())
    assert timings.sizes("separable") == [64, 128]
    assert timings["separable", 128].peak_bytes == cost.separable_bytes(128, 64)
    assert f"1 thread, PyTorch {torch.__version__}" in timings.machine
    assert "8 measurements on" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_the_command_ends_with_a_usage_error_where_there_is_no_gpu(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        timing.main([str(tmp_path / "gpu.json"), "--device", "cuda"])
    assert caught.value.code == 2
    assert "no CUDA GPU on this machine" in capsys.readouterr().err
