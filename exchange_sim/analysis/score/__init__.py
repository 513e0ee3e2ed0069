"""How near a run comes to the public record of 10-11 October 2025.

``load_targets`` reads a list of published figures with their bands and sources, ``score_run``
measures each of them from the tables of a run.  A figure is measured by a function that is found by
the words of the target (``rules``), for the venue and asset kinds that the run's scenario has
(``roles``); a figure that the run cannot show counts as missed, with the reason.
"""

from exchange_sim.analysis.score.report import Line, Score, Series, score_run, series_of
from exchange_sim.analysis.score.targets import Target, builtin_targets, load_targets

__all__ = [
    "Line",
    "Score",
    "Series",
    "Target",
    "builtin_targets",
    "load_targets",
    "score_run",
    "series_of",
]
