"""A comparison of runtimes as a table: plain text, and HTML that a screen reader reads row by row."""

from __future__ import annotations

import html as markup
from typing import TYPE_CHECKING

from labkit.latency import Latency, Ratio
from labkit.measure import Accuracy

if TYPE_CHECKING:
    from labkit.runtime.compare import Comparison

Cell = tuple[str, str]  # the value, and below it how sure it is
NOTE = (
    "Accuracy has its 95 % interval, time its quartiles. × says how many times faster, with the range of nine in ten\n"
    "rounds. Each baseline also runs against itself, the control: a ratio inside the control's range is not real, nor\n"
    "is one whose own range holds 1."
)


def headers(batches: list[int]) -> list[str]:
    """Return the titles of the columns, the first of which names the rows."""
    first = ["Runtime and numbers", "File", "Accuracy"]
    for batch in batches:
        of = "1 picture" if batch == 1 else f"{batch:,} pictures"
        first += [f"{of}: time", f"{of}: against PyTorch", f"{of}: against ONNX Runtime"]
    return first


def cells(found: Comparison) -> list[list[Cell]]:
    """Return the table, row by row."""
    return [
        [
            (row.name, ""),
            (f"{row.bytes:,} bytes", ""),
            _accuracy(row.accuracy),
            *(
                cell
                for batch, time in row.latency.items()
                for cell in (_time(time), _ratio(row.against_pytorch[batch]), _ratio(row.against_onnx[batch]))
            ),
        ]
        for row in found.rows
    ]


def _accuracy(found: Accuracy) -> Cell:
    return f"{100 * found.value:.2f} %", f"{100 * found.low:.2f} to {100 * found.high:.2f}"


def _time(found: Latency) -> Cell:
    return f"{1e3 * found.median:.3g} ms", f"{1e3 * found.q1:.3g} to {1e3 * found.q3:.3g}"


def _ratio(found: Ratio) -> Cell:
    control = (found.value, found.low, found.high) == (found.control, found.control_low, found.control_high)
    verdict = ", control" if control else "" if found.real else ", not real"
    return f"× {found.value:.2f}", f"{found.low:.2f} to {found.high:.2f}{verdict}"


def text(found: Comparison) -> str:
    """Return the table as plain text: size and accuracy, then one part for each batch size."""
    batches = list(found.rows[0].latency)
    titles, rows = headers(batches), cells(found)
    parts = [[0, 1, 2]] + [[0, *range(3 * index + 3, 3 * index + 6)] for index in range(len(batches))]
    blocks = [caption(found), *("\n".join(_lines(titles, rows, part)) for part in parts), NOTE]
    return "\n\n".join(blocks)


def _lines(titles: list[str], rows: list[list[Cell]], part: list[int]) -> list[str]:
    lines = [[titles[column] for column in part]]
    for row in rows:
        lines.append([row[part[0]][0], *(f"{row[c][0]} ({row[c][1]})" if row[c][1] else row[c][0] for c in part[1:])])
    widths = [max(len(line[column]) for line in lines) for column in range(len(part))]
    lines.insert(1, ["-" * width for width in widths])
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def caption(found: Comparison) -> str:
    """Say what was measured and on what."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    times = found.rows[0].latency
    counts = ", ".join(f"{time.threads} for a batch of {batch:,}" for batch, time in times.items())
    return f"{found.data}, {found.split} pictures; {versions}; threads in both: {counts}"


def html(found: Comparison) -> str:
    """Return the table as HTML in the page's own colours."""
    titles, rows = headers(list(found.rows[0].latency)), cells(found)
    edge = "padding:4px 8px;border-bottom:1px solid var(--jp-border-color2,#bbb);vertical-align:top"
    head = "".join(f'<th scope="col" style="{edge};text-align:left">{markup.escape(title)}</th>' for title in titles)
    body = "".join(f"<tr>{_row(row, edge)}</tr>" for row in rows)
    return (
        '<div style="overflow-x:auto" tabindex="0" role="region" aria-label="Comparison of runtimes">'
        '<table class="labkit-runtimes" style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f'<caption style="caption-side:top;text-align:left;padding:4px 8px">{markup.escape(caption(found))}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f'<p style="padding:0 8px;max-width:70em">{markup.escape(NOTE)}</p></div>'
    )


def _row(row: list[Cell], edge: str) -> str:
    first = f'<th scope="row" style="{edge};text-align:left">{markup.escape(row[0][0])}</th>'
    others = (
        f'<td style="{edge};text-align:left">{markup.escape(value)}'
        + (f"<br><small>{markup.escape(sure)}</small>" if sure else "")
        + "</td>"
        for value, sure in row[1:]
    )
    return first + "".join(others)
