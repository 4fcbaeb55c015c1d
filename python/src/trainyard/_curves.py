"""One metric of a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Iterator, List, Optional

from . import _show
from ._generated import CurveData, MetricPoint


class Curve:
    """The values of one metric, thinned: the first, the last and the peaks are among them."""

    def __init__(self, data: CurveData) -> None:
        self.data = data

    @property
    def name(self) -> str:
        """The metric."""
        return self.data.name

    @property
    def points(self) -> List[MetricPoint]:
        """Its points, by iteration."""
        return list(self.data.points)

    @property
    def iterations(self) -> List[Optional[int]]:
        """The iteration of each point. None: it was reported without one."""
        return [point.iteration for point in self.data.points]

    @property
    def values(self) -> List[float]:
        """The value of each point."""
        return [point.value for point in self.data.points]

    @property
    def times(self) -> List[datetime]:
        """When each point was measured, in UTC."""
        return [point.at for point in self.data.points]

    def to_numpy(self) -> Any:
        """An array of shape (points, 2): iteration and value, float64. NaN: without an iteration.

        Raises ImportError where NumPy is not installed.
        """
        import numpy  # pyright: ignore[reportMissingImports]

        library: Any = numpy
        nan = float("nan")
        rows = [
            (nan if point.iteration is None else float(point.iteration), point.value)
            for point in self.data.points
        ]
        return library.array(rows, dtype="float64").reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.data.points)

    def __iter__(self) -> Iterator[MetricPoint]:
        return iter(self.data.points)

    def __repr__(self) -> str:
        return f"<Curve {self.name!r} {_show.spark(self.values)} {len(self)} points>"

    def _repr_html_(self) -> str:
        return _show.chart_html(self.name, self.iterations, self.values)
