"""Charts: numbers over numbers."""

import itertools
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .canvas import BLUE, MAGENTA, NAVY, STYLE, WIDEST


def lines(x: Sequence[float], series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, log_y=False) -> Figure:
    """Draw one line for each named series over `x`, on a logarithmic axis to the base 2."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.2), layout="constrained")
        axes = figure.subplots()
        for name, values in series.items():
            axes.plot(x, values, label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(x, [f"{value:g}" for value in x])
        if log_y:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def curves(series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str) -> Figure:
    """Draw named sequences of numbers over their positions, counted from 0."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 2.6), layout="constrained")
        axes = figure.subplots()
        for name, values in series.items():
            axes.plot(range(len(values)), values, label=name, marker="")
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        if len(series) > 1:
            axes.legend()
    return figure


def spread(
    x: Sequence[float], series: Mapping[str, Sequence[Sequence[float]]], xlabel: str, ylabel: str, chance: float
) -> Figure:
    """Draw several runs for each `x` as dots and a line through their means, with the level of guessing."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.4), layout="constrained")
        axes = figure.subplots()
        for style, (name, results) in zip(STYLE["axes.prop_cycle"], series.items(), strict=False):
            axes.plot(x, [sum(runs) / len(runs) for runs in results], label=name, **(style | {"marker": ""}))
            for place, runs in zip(x, results, strict=True):
                axes.plot([place] * len(runs), runs, **(style | {"linestyle": ""}), alpha=0.6, markersize=5)
        axes.axhline(chance, color="#777777", linewidth=1, linestyle=":", marker="")
        axes.annotate("guessing", (x[0], chance), (0, 3), textcoords="offset points", color="#555555", size=9)
        axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.05), xticks=x)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right", bbox_to_anchor=(1, 0.93))
    return figure


def runs(series: Mapping[str, Sequence[float]], xlabel: str, chance: float | None = None, least: float = 0.0) -> Figure:
    """Draw the runs of each named variant, shares of 1, as squares on a bar that ends at their mean, which is written.

    The axis is in per cent, begins at `least`, and says so where that is not 0; a dotted line marks the level of
    guessing, if `chance` says what that is.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 0.95 + 0.4 * len(series)), layout="constrained")
        axes = figure.subplots()
        means = [sum(shares) / len(shares) for shares in series.values()]
        axes.barh(range(len(series)), [mean - least for mean in means], 0.62, least, color="#C9D6FF", edgecolor=NAVY)
        look = {"color": MAGENTA, "markersize": 6, "fillstyle": "none", "markeredgewidth": 1.4, "clip_on": False}
        for row, (mean, shares) in enumerate(zip(means, series.values(), strict=True)):
            axes.plot(shares, [row] * len(shares), "s", **look, zorder=3)
            axes.text(1.035, row, f"mean {mean:.1%}", va="center", transform=axes.get_yaxis_transform())
        if chance is not None:
            axes.axvline(chance, color="#555555", linewidth=1.2, linestyle=":", marker="")
            place = {"textcoords": "offset points", "xycoords": ("data", "axes fraction"), "va": "bottom"}
            axes.annotate("guessing", (chance, 1), (0, 2), color="#555555", size=9, ha="center", **place)
        axes.set_yticks(range(len(series)), series)
        begins = f" (the axis begins at {least:.0%})" if least else ""
        axes.set(xlabel=xlabel + begins, xlim=(least, 1), ylim=(len(series) - 0.5, -0.5))
        axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes.set_axisbelow(True)
        axes.grid(axis="x", alpha=0.3)
    return figure


def confusion(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix `[classes, classes]`: a row for each class, darker the larger its share of the row.

    Up to 12 classes, every cell bears its number; up to 40, the classes bear their names.
    """
    n = len(classes)
    side = min(WIDEST - 2.0, 1.6 + 0.55 * n)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(side + 1.2, side), layout="constrained")
        axes = figure.subplots()
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Purples", vmin=0, vmax=1)
        for (row, column), number in np.ndenumerate(matrix if n <= 12 else np.zeros((0, 0))):
            axes.text(
                column, row, number, ha="center", va="center", color="white" if shares[row, column] > 0.5 else "k"
            )
        if n <= 40:
            short = [name if len(name) <= 20 else f"{name[:19]}…" for name in map(_plain, classes)]
            axes.set_xticks(range(n), short, rotation=90 if max(map(len, short)) > 4 and n > 4 else 0)
            axes.set_yticks(range(n), short)
        axes.set(xlabel="answer of the model", ylabel="class of the picture")
        axes.tick_params(length=0)
        axes.spines[:].set_color("#999999")
    return figure


def _plain(name: str) -> str:
    """Return a name in which matplotlib sees no formula."""
    return name.replace("$", r"\$")


def accuracy(panels: Mapping[str, Mapping[str, Sequence[tuple]]], ylabel: str) -> Figure:
    """Draw families of models as points `(cost, accuracy)`, a panel for each kind of cost, on a logarithmic axis.

    The points of the first two families are joined. A point `(cost, accuracy, name)` bears its name.
    """
    every = list(dict.fromkeys(family for families in panels.values() for family in families))
    colors = [MAGENTA, NAVY, "#B25000", "#111111", "#8A6D00", "#777777", "#3A8F7B"]
    looks = dict(zip(every, itertools.cycle(zip(colors, "soD^vPX", strict=True)), strict=False))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(min(WIDEST, 4.2 * len(panels)), 5.4), layout="constrained")
        row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (xlabel, families) in zip(row, panels.items(), strict=True):
            for family, points in families.items():
                color, marker = looks[family]
                line, size = ("-", 6) if family in every[:2] else ("", 5)
                places = [point[:2] for point in points]
                look = {"color": color, "marker": marker, "linestyle": line, "markersize": size}
                axes.plot(*zip(*places, strict=True), label=family, **look)
                below = family == every[0]  # the names of the first family stand to the right, others to the left
                place = {"xytext": (5, -4) if below else (-5, 4), "ha": "left" if below else "right"}
                for cost, height, *name in points:
                    axes.annotate(
                        "".join(name), (cost, height), textcoords="offset points", color=color, size=9, **place
                    )
            axes.set(xlabel=xlabel, xscale="log")
            axes.margins(x=0.2)
            _label_decades(axes)
            axes.grid(alpha=0.3, which="both")
        row[0].set_ylabel(ylabel)
        handles = {
            label: handle for axes in row for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, fontsize=9)
    return figure


def _label_decades(axes: Axes) -> None:
    """Write plain numbers on a logarithmic x axis, the more of each decade, the fewer of them there are."""
    low, high = axes.get_xlim()
    wide = high / low
    steps = (
        (1, 1.5, 2, 3, 4, 5, 6, 8) if wide < 6 else (1, 2, 3, 5) if wide < 15 else (1, 2, 5) if wide < 60 else (1, 3)
    )
    axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=steps))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())


def residuals(x: Sequence[float], series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str) -> Figure:
    """Draw how far some counts are from published ones, for each `x`, with a band in which rounding explains it."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.2, 3.4), layout="constrained")
        axes = figure.subplots()
        axes.axhspan(-0.005, 0.005, color=BLUE, alpha=0.25, linewidth=0, label="what rounding to two decimals explains")
        for name, values in series.items():
            axes.plot(x, values, label=name)
        axes.set(xlabel=xlabel, ylabel=ylabel, xticks=x)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    return figure
