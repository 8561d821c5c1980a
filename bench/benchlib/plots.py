"""Draw the results; matplotlib is in the environment of the benchmark only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

COLOURS = ("#0b6e4f", "#6fcf97", "#2e86ab", "#8d6a9f", "#9a9a9a", "#d1495b")


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    return pyplot


def bars(
    path: Path,
    medians: dict[str, dict[str, float | None]],
    names: Sequence[str],
    base: str,
    less_is_better: Sequence[str],
) -> None:
    """Draw one group of bars per load: each server's figure as a multiple of the base's, on a logarithmic axis."""
    pyplot = _pyplot()
    rows = {load: row for load, row in medians.items() if row.get(base)}
    more = [load for load in rows if load not in less_is_better]
    half = (len(more) + 1) // 2
    panels = [
        ("more is better", more[:half]),
        ("more is better", more[half:]),
        ("less is better", [load for load in rows if load in less_is_better]),
    ]
    panels = [panel for panel in panels if panel[1]]
    others = [name for name in names if name != base]
    most = max(len(loads) for _, loads in panels)
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(11, 3.3 * len(panels)), squeeze=False, layout="constrained")
    for axis, (title, loads) in zip(axes[:, 0], panels, strict=True):
        _draw_groups(axis, rows, loads, others, base)
        axis.set_xlim(-0.6, most - 0.4)
        axis.set_title(title, loc="left")
        axis.set_ylabel(f"multiple of {base}")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=len(names), loc="outside lower center", frameon=False)
    figure.savefig(path, dpi=110)
    print(f"written: {path}")


def _draw_groups(axis: Any, rows: dict[str, Any], loads: Sequence[str], names: Sequence[str], base: str) -> None:
    width = 0.86 / len(names)
    for place, name in enumerate(names):
        xs = [index + (place - (len(names) - 1) / 2) * width for index in range(len(loads))]
        heights = [(rows[load].get(name) or float("nan")) / rows[load][base] for load in loads]
        # On a logarithmic axis a bar begins at 1: what is better than the base goes up, the rest down.
        tops = [height - 1 for height in heights]
        axis.bar(xs, tops, width, bottom=1, label=name, color=COLOURS[place % len(COLOURS)])
    axis.set_yscale("log")
    axis.axhline(1, color="black", linewidth=0.8)
    ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    low, high = axis.get_ylim()
    axis.set_yticks([tick for tick in ticks if low <= tick <= high], minor=False)
    axis.get_yaxis().set_major_formatter(lambda value, _: f"{value:g}")
    axis.get_yaxis().set_minor_formatter(lambda value, _: "")
    axis.grid(axis="y", linewidth=0.3)
    axis.set_axisbelow(True)
    axis.set_xticks(range(len(loads)), [_broken(load) for load in loads])
    axis.tick_params(axis="x", length=0)


def _broken(label: str) -> str:
    """Break a label into lines of about 13 characters."""
    lines = [""]
    for word in label.split():
        if lines[-1] and len(lines[-1]) + len(word) > 12:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def curves(path: Path, panels: Sequence[tuple[str, str, str, dict[str, tuple[list[float], list[float]]]]]) -> None:
    """Draw panels side by side, each ``(title, label of x, label of y, {curve: (xs, ys)})``, x logarithmic."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5.2 * len(panels), 4), squeeze=False, layout="constrained")
    for axis, (title, x_label, y_label, lines) in zip(axes[0], panels, strict=True):
        for place, (name, (xs, ys)) in enumerate(lines.items()):
            axis.plot(xs, ys, marker="o", label=name, color=COLOURS[place % len(COLOURS)])
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set(title=title, xlabel=x_label, ylabel=y_label)
        axis.grid(linewidth=0.3)
        if len(lines) > 1:
            axis.legend(frameon=False)
    figure.savefig(path, dpi=110)
    print(f"written: {path}")
