"""How jobs and curves show themselves: in a terminal, and as HTML in Jupyter."""

from __future__ import annotations

import html
import importlib
import math
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, List, Optional, Sequence

if TYPE_CHECKING:
    from ._client import Job

PERIOD_SECONDS = 0.25
BARS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int = 24) -> str:
    """A line of bars. Each stands for as many values as have to share it: the last of them."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    picked = [finite[(i + 1) * len(finite) // width - 1] for i in range(width)]
    shown = finite if len(finite) <= width else picked
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(BARS[min(7, int((value - low) / span * 8))] for value in shown)


def chart_html(name: str, iterations: Sequence[Optional[int]], values: Sequence[float]) -> str:
    """A small line chart as SVG."""
    points = [
        (float(i if x is None else x), y)
        for i, (x, y) in enumerate(zip(iterations, values))
        if math.isfinite(y)
    ]
    title = html.escape(name)
    if not points:
        return f"<p>{title}: no points yet</p>"
    xs, ys = [x for x, _ in points], [y for _, y in points]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    line = " ".join(
        f"{4 + (x - left) / ((right - left) or 1) * 312:.1f},"
        f"{76 - (y - low) / ((high - low) or 1) * 72:.1f}"
        for x, y in points
    )
    return (
        f"<figure style='margin:0.5em 0'><figcaption>{title}: {ys[-1]:.6g} "
        f"(lowest {low:.6g}, highest {high:.6g})</figcaption>"
        f"<svg width='320' height='80' role='img' aria-label='{title}'>"
        f"<polyline fill='none' stroke='#2a6fdb' stroke-width='1.5' points='{line}'/></svg></figure>"
    )


def job_html(job: Job) -> str:
    """A job with a link to its page in the console."""
    data = job.data
    link = f"<a href='{html.escape(job.url)}' target='_blank'>{html.escape(job.name)}</a>"
    reason = html.escape(data.history.description or data.history.reason)
    rows = "".join(
        f"<tr><td>{step.number}</td><td style='text-align:left'>{html.escape(step.name)}</td>"
        f"<td>{step.status}</td></tr>"
        for step in data.steps
    )
    return f"<p>{link} <b>{data.status}</b> {reason}</p><table>{rows}</table>"


def follow(job: Job, names: Sequence[str]) -> None:
    """Shows metrics as they come, until the job has ended."""
    show = _display()
    recent: Dict[str, Deque[float]] = {}
    shown_at = 0.0
    with job.metrics(*names) as points:
        for point in points:
            recent.setdefault(point.name, deque(maxlen=500)).append(point.value)
            # Thousands of points may come at once.
            if time.monotonic() - shown_at >= PERIOD_SECONDS:
                show(job, recent, point.iteration)
                shown_at = time.monotonic()
    show(job.refresh(), recent, None)
    if sys.stderr.isatty():
        sys.stderr.write("\n")


Shown = Callable[["Job", Dict[str, Deque[float]], Optional[int]], None]


def _display() -> Shown:
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return _print_line
    # By name: IPython is not there where types are checked.
    shown: Any = importlib.import_module("IPython.display")
    html_of = shown.HTML
    handle = shown.display(html_of(""), display_id=True)

    def show(job: Job, recent: Dict[str, Deque[float]], iteration: Optional[int]) -> None:
        charts = [
            chart_html(name, list(range(len(values))), list(values))
            for name, values in recent.items()
        ]
        handle.update(html_of(job_html(job) + "".join(charts)))

    return show


def _print_line(job: Job, recent: Dict[str, Deque[float]], iteration: Optional[int]) -> None:
    parts: List[str] = [
        f"{name} {values[-1]:.6g} {spark(list(values), 12)}" for name, values in recent.items()
    ]
    at = "" if iteration is None else f"iteration {iteration}  "
    line = f"{job.name} {job.status}  {at}{'  '.join(parts)}"
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{line}\033[K")
    else:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
