"""A table that shows itself: plain text anywhere, and in Jupyter HTML that a screen reader reads row by row."""

from __future__ import annotations

import html as markup
from collections.abc import Sequence
from dataclasses import dataclass

Cell = tuple[str, str]  # the value, and how sure it is
EDGE = "padding:4px 8px;border-bottom:1px solid var(--jp-border-color2,#bbb);vertical-align:top;text-align:left"


@dataclass(frozen=True)
class Table:
    """Rows under column titles; the first column names the rows. `caption` says what, `note` how to read it.

    As text, a wide table is printed in `blocks`, each with the first column and some others (by number).

    >>> Table("Two sizes", ("network", "bytes"), ((("small", ""), ("10", "9 to 11")),))
    Two sizes
    <BLANKLINE>
    network  bytes
    -------  ------------
    small    10 (9 to 11)
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    blocks: Sequence[Sequence[int]] = ()

    def __repr__(self) -> str:
        blocks = self.blocks or [range(1, len(self.columns))]
        parts = [self.caption, *("\n".join(self._lines([0, *block])) for block in blocks), self.note]
        return "\n\n".join(filter(None, parts))

    def _lines(self, shown: list[int]) -> list[str]:
        lines = [[self.columns[column] for column in shown]]
        lines += [[_joined(row[column]) for column in shown] for row in self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(shown))]
        lines.insert(1, ["-" * width for width in widths])
        return [
            "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="{EDGE}">{markup.escape(title)}</th>' for title in self.columns)
        body = "".join(f"<tr>{_row(row)}</tr>" for row in self.rows)
        note = f'<p style="padding:0 8px;max-width:70em">{markup.escape(self.note)}</p>' if self.note else ""
        return (
            f'<div style="overflow-x:auto" tabindex="0" role="region" aria-label="{markup.escape(self.caption)}">'
            '<table class="labkit-table" style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
            f'<caption style="caption-side:top;text-align:left;padding:4px 8px">{markup.escape(self.caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}</div>"
        )


def _joined(cell: Cell) -> str:
    return f"{cell[0]} ({cell[1]})" if cell[1] else cell[0]


def _row(row: Sequence[Cell]) -> str:
    first = f'<th scope="row" style="{EDGE}">{markup.escape(_joined(row[0]))}</th>'
    others = (
        f'<td style="{EDGE}">{markup.escape(value)}'
        + (f"<br><small>{markup.escape(sure)}</small>" if sure else "")
        + "</td>"
        for value, sure in row[1:]
    )
    return first + "".join(others)
