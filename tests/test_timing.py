"""Measurements are interleaved and warmed up, end with clear errors, and lose nothing; their records can be kept."""

import io
import math
import statistics
import sys
import time
import timeit
import types
import weakref
from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import mvit2_lib as mv
from mvit2_lib import cost
from mvit2_lib.course import records, timing
from mvit2_lib.course.records import Measurement, Slope, Timings


class Clock:
    """A clock that only moves when it is told to, so that no other program can disturb a measurement."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(timeit, "default_timer", lambda: self.now)

    def spend(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def quick(log=None):
    """Return a contestant that takes little time, and writes its calls into a log."""

    def prepare(size):
        def function():
            if log is not None:
                log.append(size)
            spin(0.003)

        return function

    return prepare


def measure(contestants, sizes, **options):
    return timing.measure(contestants, sizes, **({"progress": False, "rounds": 2} | options))


def test_every_round_times_every_contestant_at_every_size_after_a_warm_up(clock):
    log = []

    def contestant(name):
        return lambda size: lambda: log.append((name, size)) or clock.spend(0.03)

    timings = measure({"a": contestant("a"), "b": contestant("b")}, [1, 2], rounds=3)
    pairs = [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    # Every timed call comes after another one, and the first round is preceded by a trial of the same kind.
    assert log == [pair for pair in pairs for _ in range(4)] + 2 * [pair for pair in pairs for _ in range(2)]
    assert sorted((m.name, m.size, len(m.seconds)) for m in timings.measurements) == [
        ("a", 1, 3),
        ("a", 2, 3),
        ("b", 1, 3),
        ("b", 2, 3),
    ]


def test_what_is_short_is_repeated_and_the_time_of_one_call_is_found(clock):
    calls = {1: 0, 200: 0, 3000: 0, 30_000: 0, 300_000: 0}

    def prepare(size):
        def function():
            calls[size] += 1
            clock.spend(size / 1e6)

        return function

    timings = measure({"a": prepare}, list(calls), rounds=4)
    for size in calls:
        assert timings["a", size].seconds == pytest.approx([size / 1e6] * 4)
    # At least two milliseconds at a time, five times a round.
    assert calls[1] > 4 * 5 * 2000 > 10 * calls[200] > 10 * 4 * 5 * 10
    # What is long enough takes one call at a time, and as many as fit into the round; the longest only one.
    for size, times in ((3000, 5), (30_000, 1), (300_000, 1)):
        assert calls[size] == 2 + 4 * (1 + times)


def test_a_call_left_in_peace_is_found_among_calls_that_were_held_up(clock):
    calls = []

    def function():
        calls.append(None)
        clock.spend(0.003 if len(calls) % 5 == 0 else 0.02)

    assert measure({"a": lambda size: function}, [1])["a", 1].best == pytest.approx(0.003)


def test_making_the_input_is_not_part_of_the_time(clock):
    def prepare(size):
        clock.spend(0.1)
        return lambda: clock.spend(0.001)

    assert measure({"a": prepare}, [1])["a", 1].seconds == pytest.approx([0.001] * 2)


def test_threads_are_set_while_measuring_and_restored_after():
    seen = set()
    torch.set_num_threads(2)
    measure({"a": lambda size: lambda: seen.add(torch.get_num_threads()) or spin(0.001)}, [1])
    assert seen == {1}
    assert torch.get_num_threads() == 2


def test_short_calls_too_run_on_as_many_threads_as_asked_for_and_the_machine_names_them(clock):
    seen = set()

    def function():
        seen.add(torch.get_num_threads())
        clock.spend(1e-3)

    assert ", 2 threads, PyTorch " in measure({"a": lambda size: function}, [1], threads=2).machine
    assert seen == {2}
    assert ", 1 thread, PyTorch " in timing.machine()


@pytest.mark.parametrize(("cores", "said"), [({0}, "), 1 core, 1 thread, "), ({0, 3, 5}, "), 3 cores, 1 thread, ")])
def test_the_machine_names_the_cores_that_this_process_may_use(monkeypatch, cores, said):
    monkeypatch.setattr(timing.os, "sched_getaffinity", lambda process: cores, raising=False)
    assert said in timing.machine()


def test_where_no_process_is_bound_to_cores_the_machine_names_all_of_them(monkeypatch):
    monkeypatch.delattr(timing.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(timing.os, "cpu_count", lambda: 7)
    assert "), 7 cores, 1 thread, " in timing.machine()


def test_threads_are_restored_also_after_an_error():
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError):
        timing.breakdown(lambda: 1 / 0)
    assert torch.get_num_threads() == 2


def test_a_clock_that_stands_still_stops_no_measurement(clock):
    assert measure({"a": lambda size: lambda: None}, [1], rounds=1)["a", 1].best < 1e-9


def test_a_progress_bar_is_shown_and_cleared(capsys):
    measure({"a": quick()}, [1, 2], progress=True)
    shown = capsys.readouterr().err
    assert "measuring" in shown
    assert "0/4 " in shown  # two sizes in two rounds
    assert shown.endswith("\r")
    measure({"a": quick()}, [1, 2], progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sizes": []}, ValueError, "there are no sizes: give at least one"),
        ({"sizes": [4, 2]}, ValueError, r"the sizes must grow, but they are \[4, 2\]: sort them"),
        ({"sizes": [2, 2]}, ValueError, "must grow"),
        ({"sizes": [2.5, 3]}, ValueError, "a size must be a whole number from 1 up, not 2.5"),
        ({"sizes": [2, 3.5]}, ValueError, "a size must be a whole number from 1 up, not 3.5"),
        ({"sizes": [0, 3]}, ValueError, "a size must be a whole number from 1 up, not 0"),
        ({"contestants": {}}, ValueError, "nothing to measure"),
        (
            {"contestants": {"a": torch.ones(2)}},
            TypeError,
            "contestant 'a' must be a function of the size, not a Tensor",
        ),
        ({"rounds": 0}, ValueError, "rounds must be a whole number from 1 up, not 0"),
        ({"threads": 1.5}, ValueError, "threads must be a whole number from 1 up, not 1.5"),
        ({"device": "tpu"}, ValueError, "no device 'tpu': choose 'cpu' or 'cuda'"),
        ({"sizes": 5}, TypeError, "sizes must be a list of whole numbers, not a int"),
        ({"contestants": ["a"]}, TypeError, "contestants must be a dictionary from names to functions, not a list"),
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


def test_sizes_before_a_failure_are_timed_before_it_happens():
    """A device may be lost for good at a large size: then what fitted must have been measured."""
    lost = []

    def prepare(size):
        if size == 4:
            lost.append(True)

        def function():
            if lost:
                raise RuntimeError("device lost")
            spin(0.003)

        return function

    with pytest.raises(timing.MeasurementError, match="'a' raised RuntimeError at size 4: device lost") as caught:
        measure({"a": prepare}, [1, 2, 4])
    assert caught.value.timings.sizes("a") == [1, 2]


def test_every_contestant_in_trouble_is_named_and_the_first_error_is_the_cause():
    with pytest.raises(timing.MeasurementError, match=r"'a' raised KeyError .*; 'b' raised MemoryError") as caught:
        measure({"a": fails_from(2, KeyError), "b": fails_from(4)}, [1, 2, 4])
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_without_a_message_is_said_to_have_none():
    def prepare(size):
        raise ValueError

    with pytest.raises(timing.MeasurementError, match="'a' raised ValueError at size 1: without a message"):
        measure({"a": prepare}, [1])


def test_the_error_of_a_contestant_does_not_keep_its_inputs_in_memory():
    inputs = []

    def prepare(size):
        x = torch.ones(size)
        inputs.append(weakref.ref(x))
        raise MemoryError("no room")

    with pytest.raises(timing.MeasurementError) as caught:
        measure({"a": prepare}, [5])
    assert isinstance(caught.value.__cause__, MemoryError)
    assert inputs[0]() is None


def test_nothing_is_said_to_be_kept_where_nothing_was_measured():
    with pytest.raises(timing.MeasurementError, match="Nothing was measured"):
        measure({"a": fails_from(1)}, [1, 2])


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


def test_a_contestant_that_raises_in_a_later_round_keeps_what_it_had(clock):
    calls = []

    def prepare(size):
        def function():
            calls.append(size)
            if len(calls) > 8:
                raise RuntimeError("tired")
            clock.spend(0.03)  # one timed call a round

        return function

    with pytest.raises(timing.MeasurementError, match="'a' raised RuntimeError at size 1: tired") as caught:
        measure({"a": prepare, "b": lambda size: lambda: clock.spend(0.03)}, [1, 2], rounds=3)
    assert caught.value.timings.sizes("b") == [1, 2]
    assert len(caught.value.timings["b", 2].seconds) == 3
    assert len(caught.value.timings["a", 1].seconds) == 1
    assert len(calls) == 9  # the call that raised was its last


@pytest.mark.parametrize("calls_before", [1, 5, 6, 7, 9, 12, 17])
def test_an_interruption_at_any_moment_leaves_records_that_can_be_used(clock, calls_before, tmp_path):
    calls = []

    def prepare(size):
        def function():
            calls.append(size)
            if len(calls) == calls_before:
                raise KeyboardInterrupt
            clock.spend(0.03)  # one timed call a round

        return function

    with pytest.raises(timing.MeasurementError, match="interrupted") as caught:
        measure({"a": prepare}, [1, 2], rounds=50)
    assert caught.value.interrupted
    timings = caught.value.timings
    assert len(timings.measurements) == (0 if calls_before < 5 else 1 if calls_before < 9 else 2)
    assert all(measurement.best > 0 for measurement in timings.measurements)
    timings.save(tmp_path / "some.json")
    assert Timings.load(tmp_path / "some.json").names == timings.names


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


def test_the_breakdown_names_operators_longest_first_for_one_call_on_one_thread():
    a, b = torch.randn(400, 400), torch.randn(400)
    seen = set()

    def function():
        seen.add(torch.get_num_threads())
        return (a @ a) + b

    torch.set_num_threads(2)
    operators = timing.breakdown(function, repeats=50)
    assert torch.get_num_threads() == 2
    assert seen == {1}
    assert next(iter(operators)) == "aten::mm"
    assert list(operators.values()) == sorted(operators.values(), reverse=True)
    whole = min(measure({"a": lambda size: function}, [1])["a", 1].seconds)
    assert sum(operators.values()) < 5 * whole  # of one call, not of fifty


def test_the_breakdown_adds_up_the_runs_of_an_operator_within_a_call():
    a = torch.randn(400, 400)
    once, thrice = timing.breakdown(lambda: a @ a), timing.breakdown(lambda: a @ a @ a @ a)
    assert 2 < thrice["aten::mm"] / once["aten::mm"] < 4


def test_the_breakdown_takes_each_operator_where_it_was_left_in_peace():
    a, calls = torch.randn(400, 400), []

    def held_up(often):
        def function():
            calls.append(None)
            return a @ a if len(calls) % 4 >= often else a.repeat(2, 1) @ a.repeat(1, 2)

        return function

    never, mostly = timing.breakdown(held_up(0)), timing.breakdown(held_up(3))
    assert mostly["aten::mm"] < 2 * never["aten::mm"]


def test_the_contestants_are_the_four_attentions_and_take_gradients_on_request():
    contestants = timing.attentions(d=8, heads=2, p=3)
    assert list(contestants) == ["multi-head, explicit", "multi-head, fused", "Linformer", "separable"]
    for name in contestants:
        forward = contestants[name](16)
        both = timing.attentions(d=8, heads=2, p=3, backward=True)[name](16)
        assert not any("Backward" in operator for operator in timing.breakdown(forward, repeats=1))
        backward = timing.breakdown(both, repeats=1)
        assert any("Backward" in operator for operator in backward)
        assert "torch::autograd::AccumulateGrad" not in backward


def test_a_backward_pass_takes_all_gradients():
    """Matrix products for the weights and for the inputs: each as many as on the way forward."""
    for name in timing.attentions():
        forward = timing.attentions(d=32, heads=2, p=16)[name](256)
        both = timing.attentions(d=32, heads=2, p=16, backward=True)[name](256)
        products = [
            sum(event.count for event in counted(function) if event.key in ("aten::addmm", "aten::mm", "aten::bmm"))
            for function in (forward, both)
        ]
        if name != "multi-head, fused":
            assert products[1] == 3 * products[0], name


def test_the_contestants_have_the_sizes_asked_for():
    held = {name: timing.peak_bytes(prepare(64)) for name, prepare in timing.attentions(d=8, heads=2, p=16).items()}
    assert held["multi-head, explicit"] == cost.multi_head_bytes(64, 8, 2)
    assert held["multi-head, fused"] < held["multi-head, explicit"] / 2
    assert held["Linformer"] == cost.linformer_bytes(64, 8, 16, 2)
    assert held["separable"] == cost.separable_bytes(64, 8)
    # Those of the course have the sizes that the title of the records names.
    held = {name: timing.peak_bytes(prepare(128)) for name, prepare in timing.attentions().items()}
    assert held["multi-head, explicit"] == cost.multi_head_bytes(128, 64, 4)
    assert held["Linformer"] == cost.linformer_bytes(128, 64, 64, 4)
    assert held["separable"] == cost.separable_bytes(128, 64)


def test_the_contestants_are_built_on_the_device_asked_for():
    on_meta = timing.attentions(d=8, heads=2, p=4, device="meta")["separable"](16)
    assert timing.peak_bytes(on_meta) < cost.separable_bytes(16, 8) / 10  # what is on the meta device holds no numbers


def counted(function):
    with profile(activities=[ProfilerActivity.CPU]) as record:
        function()
    return record.key_averages()


class FakeGPU:
    """Stands in for `torch.cuda`: kernels take time on the device's own clock, and calls return at once."""

    def __init__(self):
        self.device_clock = self.allocated = self.peak = 0
        self.synchronised = 0
        self.last = None
        gpu = self

        class Event:
            def __init__(self, enable_timing):
                assert enable_timing
                self.time = None

            def record(self):
                self.pending = gpu.device_clock

            def synchronize(self):
                gpu.synchronised = gpu.device_clock
                self.time = self.pending

            def elapsed_time(self, end):
                assert end.time is not None, "read before the work was done"
                return 1e3 * (end.pending - self.pending)

        self.cuda = types.SimpleNamespace(
            Event=Event,
            is_available=lambda: True,
            get_device_name=lambda: "Stand-in GPU",
            memory_allocated=lambda: self.allocated,
            max_memory_allocated=lambda: self.peak if self.synchronised == self.device_clock else 0,
            reset_peak_memory_stats=lambda: setattr(self, "peak", self.allocated),
            synchronize=lambda: setattr(self, "synchronised", self.device_clock),
        )

    def kernel(self, size):
        self.device_clock += 1e-3 * size * (50 if size != self.last else 1)  # cold after another size
        self.last = size
        self.peak = max(self.peak, self.allocated + 100 * size)


def test_on_cuda_time_is_the_device_time_between_two_events_and_memory_its_allocator_s(monkeypatch):
    gpu = FakeGPU()
    gpu.allocated, gpu.peak = 5000, 90000  # from before
    monkeypatch.setattr(torch, "cuda", gpu.cuda)
    timings = measure({"a": lambda size: lambda: gpu.kernel(size)}, [1, 7], device="cuda", memory=True, rounds=3)
    assert timings["a", 7].seconds == pytest.approx([7e-3] * 3)
    assert timings["a", 1].seconds == pytest.approx([1e-3] * 3)
    assert timings["a", 1].peak_bytes == 100
    assert timings["a", 7].peak_bytes == 700
    assert timings.machine.startswith("Stand-in GPU, PyTorch")


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
    rows = [Measurement("a", size, (seconds,)) for size, seconds in ((1, 1.0), (10, 1.0), (100, 10.0))]
    assert Timings("", tuple(rows)).slope("a", smallest=10).value == pytest.approx(1)  # both limits are included
    assert Timings("", tuple(rows)).slope("a", largest=10).value == pytest.approx(0)


@pytest.mark.parametrize(
    ("sizes", "seconds", "message"),
    [
        ([], [], "a slope needs at least two sizes, not "),
        ([64], [0.1], r"a slope needs at least two sizes, not \[64\]"),
        ([64, 64], [0.1, 0.2], "at least two sizes"),
        ([64, 128], [0.1], "there are 2 sizes and 1 times"),
        ([64, 128], [0.1, 0.0], "above zero"),
        ([0, 128], [0.1, 0.2], "above zero"),
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
    back_and_forth = [4, 1, 4, 1, 4]
    assert records.crossover([1, 4, 16, 64, 256], back_and_forth, 5 * [2]) == pytest.approx(128)  # the last crossing
    assert records.crossover(sizes, [1, 2, 3, 4], [1, 1, 1, 1]) == 16  # they begin together
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


def test_seconds_are_saved_with_four_digits_and_a_file_without_a_title_has_an_empty_one(tmp_path):
    Timings("x", (Measurement("a", 1, (1.23456e-5, 98.7654)),), "a title").save(tmp_path / "some.json")
    loaded = Timings.load(tmp_path / "some.json")
    assert loaded["a", 1].seconds == (1.235e-5, 98.77)
    assert (loaded.machine, loaded.title) == ("x", "a title")
    row = '{"name": "a", "size": 1, "seconds": [1]}'
    (tmp_path / "older.json").write_text(f'{{"machine": "x", "measurements": [{row}]}}')
    assert Timings.load(tmp_path / "older.json") == Timings("x", (Measurement("a", 1, (1.0,)),), "")


def test_every_stored_record_can_be_read_and_another_name_is_refused():
    names = sorted(path.stem for path in (Path(records.__file__).parents[1] / "assets" / "measured").iterdir())
    assert {"batch_1", "inside", "eight_bits"} <= set(names)
    for name in names:
        timings = records.measured(name)
        assert timings.title
        assert all(min(row.seconds) > 0 for row in timings.measurements)
    with pytest.raises(ValueError, match="no records 'batch_2': choose one of .*'batch_1'"):
        records.measured("batch_2")


def test_a_crossover_needs_times_for_every_size():
    with pytest.raises(ValueError, match="there are 3 sizes, but 2 and 2 times"):
        records.crossover([1, 2, 3], [1, 2], [2, 1])


EMPTY = '{"machine": "x", "measurements": [{"name": "a", "size": 1, "seconds": []}]}'
WORDS = '{"machine": "x", "measurements": [{"name": "a", "size": 1, "seconds": ["soon"]}]}'
NAMELESS = '{"machine": "x", "measurements": [{"name": 1}]}'


@pytest.mark.parametrize("content", ["", "[]", '{"machine": "x"}', EMPTY, NAMELESS, WORDS])
def test_a_file_without_records_is_refused(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ValueError, match=r"other.json does not hold timings"):
        Timings.load(tmp_path / "other.json")


def test_what_was_not_measured_is_said():
    with pytest.raises(KeyError, match="no measurement of 'b' at size 64"):
        made_up()["b", 64]
    with pytest.raises(KeyError, match="no measurement of 'b': choose one of 'a'"):
        made_up().slope("b")


def test_the_command_writes_records_that_name_the_machine(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    timing.main([str(tmp_path / "here.json"), "--largest", "128"])
    timings = Timings.load(tmp_path / "here.json")
    assert timings.names == list(timing.attentions())
    assert timings.sizes("separable") == [64, 128]
    assert timings["separable", 128].peak_bytes == cost.separable_bytes(128, 64)
    assert f"1 thread, PyTorch {torch.__version__}" in timings.machine
    assert timings.title == "one layer, d = 64, h = 4, p = 64, forward"
    assert "8 measurements on" in capsys.readouterr().out


def captured(monkeypatch, outcome):
    """Replace `measure` by a function that keeps its arguments and then returns or raises `outcome`."""
    seen = {}

    def fake(contestants, sizes, **options):
        seen.update(options, contestants=contestants, sizes=sizes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(timing, "measure", fake)
    monkeypatch.setattr(timing, "attentions", lambda **options: options)
    return seen


def test_the_command_hands_its_options_on(tmp_path, monkeypatch):
    seen = captured(monkeypatch, made_up())
    timing.main([str(tmp_path / "a.json"), "--device", "cuda", "--backward", "--largest", "1000000"])
    assert seen["device"] == seen["contestants"]["device"] == "cuda"
    assert seen["contestants"]["backward"] is True
    assert seen["title"].endswith("forward and backward")
    assert (seen["sizes"][0], seen["sizes"][-1]) == (64, 524288)


@pytest.mark.parametrize("interrupted", [True, False])
def test_an_interrupted_command_never_replaces_good_records(tmp_path, monkeypatch, capsys, interrupted):
    path = tmp_path / "good.json"
    good = Timings("a machine", (Measurement("a", 64, (0.25, 0.5)),))
    good.save(path)
    some = Timings("a machine", (Measurement("a", 64, (0.125,)),))
    captured(monkeypatch, timing.MeasurementError("out of memory", some, interrupted))
    if interrupted:
        with pytest.raises(SystemExit) as caught:
            timing.main([str(path)])
        assert caught.value.code == 1
        assert Timings.load(tmp_path / "good.partial.json") == some
    else:  # some attention did not fit: the others are what was asked for
        timing.main([str(path)])
    assert Timings.load(path) == (good if interrupted else some)
    assert "out of memory" in capsys.readouterr().out


def test_a_command_that_measured_nothing_writes_nothing(tmp_path, monkeypatch):
    captured(monkeypatch, timing.MeasurementError("out of memory", Timings("", ())))
    with pytest.raises(SystemExit) as caught:
        timing.main([str(tmp_path / "a.json")])
    assert caught.value.code == 1
    assert list(tmp_path.iterdir()) == []


def test_the_command_refuses_what_cannot_end_well_before_it_measures(monkeypatch, capsys):
    seen = captured(monkeypatch, made_up())
    for arguments, message in (
        (["nowhere/a.json"], "there is no folder nowhere"),
        (["a.json", "--largest", "64"], "--largest must be at least 128"),
    ):
        with pytest.raises(SystemExit) as caught:
            timing.main(arguments)
        assert caught.value.code == 2
        assert message in capsys.readouterr().err
    assert seen == {}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("call", [timing.machine, lambda device: timing.peak_bytes(dict, device)])
def test_no_function_goes_on_without_the_gpu_it_was_asked_for(call):
    with pytest.raises(ValueError, match="no CUDA GPU"):
        call("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_real_gpu_larger_products_take_longer():
    def prepare(size):
        matrix = torch.randn(size, size, device="cuda")
        return lambda: matrix @ matrix

    timings = measure({"product": prepare}, [512, 4096], device="cuda", memory=True)
    assert timings["product", 4096].best > 10 * timings["product", 512].best
    assert timings["product", 4096].peak_bytes >= 4 * 4096**2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_the_command_ends_with_a_usage_error_where_there_is_no_gpu(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        timing.main([str(tmp_path / "gpu.json"), "--device", "cuda"])
    assert caught.value.code == 2
    assert "no CUDA GPU on this machine" in capsys.readouterr().err
