"""Charts of measurements: seconds, bytes and ratios, with the machine they come from under the figure."""

import statistics
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..records import Timings, crossover
from .canvas import BLUE, MAGENTA, ORANGE, PALETTE, STYLE, VIOLET, WIDEST

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
        figure = Figure(figsize=(min(WIDEST, 5.8 * len(panels)), 5.6), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for place, (title, timings) in zip(axes, panels.items(), strict=True):
            _draw_times(place, timings, fit_from)
            place.set_title(title)
        _mark_crossings(axes, list(panels.values()), against)
        axes[0].set_ylabel("milliseconds")
        _sign(figure, *(timings.machine for timings in panels.values()))
    return figure


def quadratic_vs_linear(timings: Timings, fit_from: int = 512) -> Figure:
    """Draw time and peak memory over the number of tokens side by side."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, 5.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_times(left, timings, fit_from)
        _mark_crossings([left], [timings], against="multi-head, fused")
        left.set(title="time", ylabel="milliseconds")
        _draw_memory(right, timings)
        right.set(title="most memory held at once", ylabel="MiB")
        figure.suptitle(timings.title, size=11)
        _sign(figure, timings.machine)
    return figure


def devices(runs: Sequence[Timings], fit_from: int = 512) -> Figure:
    """Draw what many devices measured, a panel for each contestant: thin lines for devices, a thick one for the median.

    Above each panel stands the range of the slopes from `fit_from` on, over the devices with three sizes or more there.
    """
    names = list(dict.fromkeys(name for timings in runs for name in timings.names))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, 4.6), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
            _draw_devices(axes, [timings for timings in runs if name in timings.names], name, fit_from)
        figure.axes[0].set_ylabel("milliseconds")
        figure.suptitle(f"{runs[0].title}: {len(runs)} device{'s' * (len(runs) > 1)}", size=11)
    return figure


def _draw_devices(axes: Axes, runs: Sequence[Timings], name: str, fit_from: int) -> None:
    look = _look(runs[0], name)
    for timings in runs:
        sizes, best = timings.sizes(name), [1e3 * seconds for seconds in timings.seconds(name)]
        axes.plot(sizes, best, color=look["color"], linewidth=0.8, alpha=0.5, marker="", linestyle="-")
    # Sizes that only some devices reached would give the median a kink; a run that was stopped early does not count.
    far = [timings for timings in runs if sum(size >= fit_from for size in timings.sizes(name)) > 2] or runs
    common = sorted(set.intersection(*(set(timings.sizes(name)) for timings in far)))
    medians = [1e3 * statistics.median(timings[name, size].best for timings in far) for size in common]
    axes.plot(common, medians, linewidth=2.5, **look)
    slopes = [
        timings.slope(name, fit_from).value
        for timings in far
        if sum(size >= fit_from for size in timings.sizes(name)) > 2
    ]
    said = (
        f"slope {min(slopes):.2f} to {max(slopes):.2f}"
        if len(slopes) > 1
        else "".join(f"slope {v:.2f}" for v in slopes)
    )
    axes.set_title(f"{name}\n{said}", size=10)
    axes.set_xscale("log", base=2)
    axes.set(xlabel="tokens k", yscale="log")
    every = sorted({size for timings in runs for size in timings.sizes(name)})
    axes.set_xticks(every, [f"{size:g}" for size in every], rotation=45)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)


def memory(timings: Timings, counted: Mapping[str, Sequence[float]]) -> Figure:
    """Draw measured peak memory as marks over lines that were counted, in bytes at each size."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 4.2), layout="constrained")
        axes = figure.subplots()
        _draw_memory(axes, timings, counted)
        axes.set_ylabel("MiB")
        axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
        _sign(figure, timings.machine)
    return figure


def repetitions(seconds: Sequence[float], machine: str) -> Figure:
    """Draw how long each of many equal calls took, in their order, with the shortest, the median and the mean.

    The axis ends where most calls, and the mean, have found room; triangles at its upper edge stand for longer ones.
    """
    milliseconds = 1e3 * np.asarray(seconds)
    least, mean = milliseconds.min(), milliseconds.mean()
    top = 1.25 * max(mean, np.quantile(milliseconds, 0.95, method="lower"), 1.02 * least)
    above = milliseconds > top
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, 3.6), layout="constrained")
        axes = figure.subplots()
        calls = np.arange(len(milliseconds))
        axes.plot(
            calls[~above], milliseconds[~above], linestyle="", marker=".", color=BLUE, alpha=0.7, label="one call"
        )
        if above.any():
            label = f"{above.sum()} of {len(calls)} calls took longer,\nup to {milliseconds.max():.3g} ms"
            look = {"linestyle": "", "marker": "^", "color": "#333333", "clip_on": False}
            axes.plot(calls[above], np.full(above.sum(), top), label=label, **look)
        for name, value, color, style in (
            ("mean", mean, "#B25000", "-."),
            ("median", np.median(milliseconds), VIOLET, "--"),
            ("shortest", least, MAGENTA, "-"),
        ):
            axes.axhline(value, color=color, linestyle=style, marker="", label=f"{name}: {value:.3f} ms")
        axes.set(xlabel="call", ylabel="milliseconds", ylim=(least - 0.08 * (top - least), top))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
        _sign(figure, machine)
    return figure


def operators(breakdowns: Mapping[str, Mapping[str, float]], machine: str, least: float = 0.02) -> Figure:
    """Draw the seconds of the operators of each named layer as stacked bars; those below a share of `least` in grey."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, 1.6 + 0.55 * len(breakdowns)), layout="constrained")
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
        axes.legend(handles.values(), handles, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
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
        axes.set_yticks(range(len(places)), places, size=9)
        axes.set(xlabel="speed of v2 / speed of v1 (left of the line: v2 slower)", xscale="log", xlim=(0.7, 3.6))
        axes.set_xticks([0.75, 1, 1.5, 2, 3], ["0.75", "1", "1.5", "2", "3"])
        axes.minorticks_off()
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.3)
        axes.legend(loc="center right", fontsize=9)
    return figure


def waterfall(timings: Timings, size: int, steps: Mapping[str, str], floor: str) -> Figure:
    """Draw what each step saves, from the first contestant's time down: a bar for each, and a line at the floor.

    `steps` maps the names of contestants to what the rows say. Times are medians of the rounds; a number beside a bar
    is the ratio of the first to it, round by round. What a step saves is drawn pale; a step that costs is not.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDEST, 1.6 + 0.42 * len(steps)), layout="constrained")
        axes = figure.subplots()
        milliseconds = [1e3 * statistics.median(timings[name, size].seconds) for name in steps]
        first = next(iter(steps))
        for row, (name, time) in enumerate(zip(steps, milliseconds, strict=True)):
            before = milliseconds[max(row - 1, 0)]
            axes.barh(row, time, color=BLUE)
            axes.barh(row, max(before - time, 0), left=time, color=BLUE, alpha=0.2, hatch="//", edgecolor="white")
            ratio = timings.ratio(first, name, size)
            said = f"{time:.1f} ms, {ratio:.2f}×"
            # On white, because the line of the floor may run through it.
            axes.annotate(
                said,
                (max(time, before), row),
                (6, 0),
                textcoords="offset points",
                va="center",
                size=10,
                bbox={"color": "white", "pad": 2},
            )
        least = 1e3 * statistics.median(timings[floor, size].seconds)
        axes.axvline(least, color=MAGENTA, linestyle="--", marker="", label=f"{floor}: {least:.1f} ms")
        axes.set_yticks(range(len(steps)), steps.values())
        axes.set(xlabel="milliseconds for a picture", xlim=(0, 1.35 * max(milliseconds)))
        axes.invert_yaxis()
        axes.legend(loc="lower right", fontsize=9)
        _sign(figure, f"{timings.machine}; {timings.title}")
    return figure


def _draw_times(axes: Axes, timings: Timings, fit_from: int) -> None:
    for name in timings.names:
        sizes, best = timings.sizes(name), timings.seconds(name)
        medians = [statistics.median(timings[name, size].seconds) for size in sizes]
        bars = [[0] * len(sizes), [1e3 * (median - least) for median, least in zip(medians, best, strict=True)]]
        enough = sum(size >= fit_from for size in sizes) > 2
        label = f"{name}: slope {timings.slope(name, fit_from)}" if enough else name
        axes.errorbar(sizes, [1e3 * least for least in best], bars, label=label, capsize=2, **_look(timings, name))
    axes.set(xlabel="tokens k", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    _scale_sizes(axes, timings)


def _mark_crossings(row: Sequence[Axes], runs: Sequence[Timings], against: str | None) -> None:
    """Put a ring where a contestant begins to be faster than another, and say so below all the lines."""
    found = [_crossings(timings, against) for timings in runs]
    low, high = row[0].get_ylim()
    row[0].set_ylim(bottom=low / (high / low) ** (0.2 * max(map(len, found))))  # room for what is said
    for axes, crossings in zip(row, found, strict=True):
        for number, (place, height, said) in enumerate(crossings):
            axes.plot(place, height, marker="o", markersize=14, fillstyle="none", color="black", linestyle="")
            across = axes.transLimits.transform(axes.transScale.transform((place, height)))[0]
            position = min(max(across, 0.35), 0.65), 0.03 + 0.13 * number
            where = {"textcoords": "axes fraction", "ha": "center", "va": "bottom", "size": 9}
            line = {"arrowstyle": "-", "color": "#555555", "shrinkB": 7, "relpos": (0.5, 1)}
            axes.annotate(said, (place, height), position, arrowprops=line, **where)


def _crossings(timings: Timings, against: str | None) -> list[tuple[float, float, str]]:
    """Return size, milliseconds and a sentence for each contestant that comes to be faster than `against`."""
    found = []
    for name in timings.names if against in timings.names else ():
        sizes = [size for size in timings.sizes(name) if size in timings.sizes(against)]
        place = crossover(sizes, timings.seconds(against, sizes), timings.seconds(name, sizes))
        if name != against and place is not None:
            height = np.exp(np.interp(np.log(place), np.log(sizes), np.log(timings.seconds(name, sizes))))
            found.append((place, 1e3 * height, f"from k ≈ {place:.0f} on {name}\nis faster than {against}"))
    return found


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
    axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16))


def _look(timings: Timings, name: str) -> Mapping[str, str]:
    others = list(STYLE["axes.prop_cycle"])
    return LOOKS.get(name, others[timings.names.index(name) % len(others)])


def _sign(figure: Figure, *machines: str) -> None:
    said = "measured on " + "; ".join(dict.fromkeys(machines))
    columns = int(figure.get_figwidth() * 12.5)  # letters of 9 points
    figure.supxlabel("\n".join(textwrap.wrap(said, columns)), size=9, color="#555555")
