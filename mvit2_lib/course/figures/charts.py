"""Charts: numbers over numbers."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.ticker
from matplotlib.figure import Figure

from .canvas import BLUE, MAGENTA, NAVY, PALETTE, STYLE


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
        axes.annotate("guessing", (x[0], chance), (0, 3), textcoords="offset points", color="#555555", size=8)
        axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.05), xticks=x)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right", bbox_to_anchor=(1, 0.93))
    return figure


def runs(series: Mapping[str, Sequence[float]], xlabel: str, chance: float | None = None, least: float = 0.0) -> Figure:
    """Draw the runs of each named variant as hollow squares in a row, with a bar at their mean.

    The axis begins at `least`; a dotted line marks the level of guessing, if `chance` says what that is.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 0.7 + 0.42 * len(series)), layout="constrained")
        axes = figure.subplots()
        for row, shares in enumerate(series.values()):
            axes.plot(shares, [row] * len(shares), "s", color=MAGENTA, markersize=6, fillstyle="none")
            axes.plot(sum(shares) / len(shares), row, linestyle="", marker="|", color="black", markersize=18)
        if chance is not None:
            axes.axvline(chance, color="#777777", linewidth=1, linestyle=":", marker="")
            axes.annotate("guessing", (chance, -0.6), (3, 0), textcoords="offset points", color="#555555", size=8)
        axes.set_yticks(range(len(series)), series)
        axes.set(xlabel=xlabel, xlim=(least, 1.03), ylim=(len(series) - 0.5, -0.8))
        axes.grid(axis="x", alpha=0.3)
    return figure


def accuracy(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], ylabel: str) -> Figure:
    """Draw families of models as points `(cost, accuracy)`, a panel for each kind of cost, on a logarithmic axis.

    The points of the first two families are joined.
    """
    every = list(dict.fromkeys(family for families in panels.values() for family in families))
    looks = dict(
        zip(every, zip([MAGENTA, NAVY, *PALETTE[2:], "#777777", "#333333"], "so^DvPX*", strict=False), strict=False)
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.9 * len(panels), 4.2), layout="constrained")
        row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (xlabel, families) in zip(row, panels.items(), strict=True):
            for family, points in families.items():
                color, marker = looks[family]
                line = "-" if family in every[:2] else ""
                axes.plot(*zip(*points, strict=True), color=color, marker=marker, linestyle=line, label=family)
            axes.set(xlabel=xlabel, xscale="log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_minor_formatter("")
            axes.grid(alpha=0.3, which="both")
        row[0].set_ylabel(ylabel)
        handles = {
            label: handle for axes in row for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, fontsize=9)
    return figure


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
        axes.legend(fontsize=8)
    return figure
