"""Charts of measurements: seconds, bytes and ratios, with the machine they come from under the figure."""

import statistics
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..records import Timings, crossover
from .canvas import BLUE, MAGENTA, ORANGE, PALETTE, STYLE, VIOLET

# The same attention looks the same in every figure.
LOOKS = {
    "multi-head, explicit": {"color": BLUE, "marker": "o", "linestyle": "-"},
    "multi-head, fused": {"color": VIOLET, "marker": "D", "linestyle": ":"},
    "Linformer": {"color": ORANGE, "marker": "^", "linestyle": "-."},
    "separable": {"color": MAGENTA, "marker": "s", "linestyle": "--"},
}


def times(panels: Mapping[str, Timings], fit_from: int = 512, against: str | None = None) -> Figure:
    """Draw seconds over size on logarithmic axes, a panel for each named run, with slopes from `fit_from` on.

    A point is the shortest round, its bar ends at the median. Where a line comes to lie above that of `against` for
    good, a ring marks the crossing.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.4 * len(panels), 4.6), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for place, (title, timings) in zip(axes, panels.items(), strict=True):
            _draw_times(place, timings, fit_from, against)
            place.set_title(title)
        axes[0].set_ylabel("milliseconds")
        _sign(figure, *(timings.machine for timings in panels.values()))
    return figure


def quadratic_vs_linear(timings: Timings, fit_from: int = 512) -> Figure:
    """Draw time and peak memory over the number of tokens side by side."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.4, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_times(left, timings, fit_from, against="multi-head, fused")
        left.set(title="time", ylabel="milliseconds")
        _draw_memory(right, timings)
        right.set(title="most memory held at once", ylabel="MiB")
        figure.suptitle(timings.title, size=11)
        _sign(figure, timings.machine)
    return figure


def memory(timings: Timings, counted: Mapping[str, Sequence[float]]) -> Figure:
    """Draw measured peak memory as marks over lines that were counted, in bytes at each size."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.8, 4.2), layout="constrained")
        axes = figure.subplots()
        _draw_memory(axes, timings, counted)
        axes.set_ylabel("MiB")
        _sign(figure, timings.machine)
    return figure


def repetitions(seconds: Sequence[float], machine: str) -> Figure:
    """Draw how long each of many equal calls took, in their order, with the shortest, the median and the mean."""
    milliseconds = 1e3 * np.asarray(seconds)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.2), layout="constrained")
        axes = figure.subplots()
        axes.plot(milliseconds, linestyle="", marker=".", color=BLUE, alpha=0.6, label="one call")
        for name, value, color, style in (
            ("mean", milliseconds.mean(), ORANGE, "-."),
            ("median", np.median(milliseconds), VIOLET, "--"),
            ("shortest", milliseconds.min(), MAGENTA, "-"),
        ):
            axes.axhline(value, color=color, linestyle=style, marker="", label=f"{name}: {value:.3f} ms")
        axes.set(xlabel="call", ylabel="milliseconds", yscale="log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter("")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        _sign(figure, machine)
    return figure


def operators(breakdowns: Mapping[str, Mapping[str, float]], machine: str, least: float = 0.02) -> Figure:
    """Draw the seconds of the operators of each named layer as stacked bars; those below a share of `least` in grey."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 0.9 + 0.55 * len(breakdowns)), layout="constrained")
        axes = figure.subplots()
        totals = {name: sum(operators.values()) for name, operators in breakdowns.items()}
        shown = {
            name: {kind: seconds for kind, seconds in operators.items() if seconds >= least * totals[name]}
            for name, operators in breakdowns.items()
        }
        kinds = list(dict.fromkeys(kind for operators in shown.values() for kind in operators))
        colors = dict(zip(kinds, [*PALETTE, *mpl.colormaps["Pastel1"].colors], strict=False))
        hatches = dict(zip(kinds, ["", "//", "..", "xx", "--", "\\\\", "oo", "++", "**"], strict=False))
        for row, name in enumerate(breakdowns):
            left = 0.0
            for kind, seconds in [*shown[name].items(), ("the rest", totals[name] - sum(shown[name].values()))]:
                axes.barh(
                    row,
                    1e3 * seconds,
                    left=1e3 * left,
                    color=colors.get(kind, "#BBBBBB"),
                    hatch=hatches.get(kind),
                    edgecolor="white",
                    label=kind,
                )
                left += seconds
        axes.set_yticks(range(len(breakdowns)), breakdowns)
        axes.invert_yaxis()
        axes.set_xlabel("milliseconds in one forward pass")
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.legend(handles.values(), handles, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
        _sign(figure, machine)
    return figure


def speed_ratios(rows: Sequence[Mapping], ratios: Sequence[float]) -> Figure:
    """Draw how many times faster MobileViTv2 is than v1, a row for each source and device, a mark for each pair."""
    with mpl.rc_context(STYLE):
        places = list(dict.fromkeys(f"{row['source']}: {row['device']}" for row in rows))
        figure = Figure(figsize=(7.6, 0.9 + 0.3 * len(places)), layout="constrained")
        axes = figure.subplots()
        for v2, marker, color in ((0.5, "o", BLUE), (0.75, "^", ORANGE), (1.0, "s", MAGENTA)):
            pair = [(row, ratio) for row, ratio in zip(rows, ratios, strict=True) if row["v2"] == v2]
            heights = [places.index(f"{row['source']}: {row['device']}") for row, _ in pair]
            label = f"v2 at α = {v2:g} against v1-{pair[0][0]['v1']}"
            values = [ratio for _, ratio in pair]
            axes.plot(values, heights, linestyle="", marker=marker, color=color, alpha=0.7, label=label)
        axes.axvline(1, color="#555555", linewidth=1, linestyle="-", marker="")
        axes.set_yticks(range(len(places)), places, size=8)
        axes.set(xlabel="speed of v2 / speed of v1 (left of the line: v2 slower)", xscale="log", xlim=(0.7, 3.6))
        axes.set_xticks([0.75, 1, 1.5, 2, 3], ["0.75", "1", "1.5", "2", "3"])
        axes.minorticks_off()
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.3)
        axes.legend(loc="center right", fontsize=8)
    return figure


def _draw_times(axes: Axes, timings: Timings, fit_from: int, against: str | None) -> None:
    for name in timings.names:
        sizes, best = timings.sizes(name), timings.seconds(name)
        medians = [statistics.median(timings[name, size].seconds) for size in sizes]
        bars = [[0] * len(sizes), [1e3 * (median - least) for median, least in zip(medians, best, strict=True)]]
        enough = sum(size >= fit_from for size in sizes) > 2
        label = f"{name}: slope {timings.slope(name, fit_from)}" if enough else name
        axes.errorbar(sizes, [1e3 * least for least in best], bars, label=label, capsize=2, **_look(timings, name))
        if against not in (None, name) and against in timings.names:
            _mark_crossing(axes, timings, name, against)
    axes.set(xlabel="tokens k", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    _scale_sizes(axes, timings)


def _mark_crossing(axes: Axes, timings: Timings, name: str, against: str) -> None:
    sizes = [size for size in timings.sizes(name) if size in timings.sizes(against)]
    place = crossover(sizes, timings.seconds(against, sizes), timings.seconds(name, sizes))
    if place is None:
        return
    height = np.exp(np.interp(np.log(place), np.log(sizes), np.log(timings.seconds(name, sizes))))
    axes.plot(place, 1e3 * height, marker="o", markersize=14, fillstyle="none", color="black", linestyle="")
    axes.annotate(
        f"from k ≈ {place:.0f} on {name}\nis faster than {against}",
        (place, 1e3 * height),
        (0, 46),
        textcoords="offset points",
        ha="center",
        size=8,
        arrowprops={"arrowstyle": "-", "color": "#555555", "shrinkB": 7},
    )


def _draw_memory(axes: Axes, timings: Timings, counted: Mapping[str, Sequence[float]] | None = None) -> None:
    if any(measurement.peak_bytes is None for measurement in timings.measurements):
        raise ValueError("these records hold no memory: measure with memory=True")
    for name in timings.names:
        sizes = timings.sizes(name)
        look = dict(_look(timings, name))
        measured = [timings[name, size].peak_bytes / 2**20 for size in sizes]
        if counted is None:
            axes.plot(sizes, measured, label=name, **look)
        else:
            axes.plot(sizes, measured, label=f"{name}, measured", **(look | {"linestyle": ""}))
            if name in counted:
                lines = [number / 2**20 for number in counted[name]]
                axes.plot(sizes, lines, label=f"{name}, counted", **(look | {"marker": ""}))
    axes.set(xlabel="tokens k", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    _scale_sizes(axes, timings)


def _scale_sizes(axes: Axes, timings: Timings) -> None:
    sizes = sorted({measurement.size for measurement in timings.measurements})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes], rotation=45 if len(sizes) > 8 else 0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _look(timings: Timings, name: str) -> Mapping[str, str]:
    others = list(STYLE["axes.prop_cycle"])
    return LOOKS.get(name, others[timings.names.index(name) % len(others)])


def _sign(figure: Figure, *machines: str) -> None:
    figure.supxlabel("measured on " + "; ".join(dict.fromkeys(machines)), size=8, color="#555555")
