"""How numbers are read: three figures, a unit, and never more precision than there is."""

from __future__ import annotations

from labkit.methods import Knob


def figures(value: float, count: int = 3) -> str:
    """Round to so many figures, without an exponent.

    >>> figures(156.4), figures(0.1234), figures(1234.5), figures(9.996)
    ('156', '0.123', '1,230', '10.0')
    """
    if value == 0:
        return "0"
    value = float(f"{value:.{count - 1}e}")
    digits = max(0, count - len(str(int(abs(value)))) if abs(value) >= 1 else count - 1 - _exponent(value))
    return f"{value:,.{digits}f}" if abs(value) < 1000 else f"{value:,.0f}"


def _exponent(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def count(number: float) -> str:
    """Shorten a count.

    >>> count(2_293_000), count(266_610), count(87)
    ('2.29 M', '267 k', '87')
    """
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return figures(number / size) + unit
    return f"{number:,.0f}"


def size(number: float) -> str:
    """Write bytes in units of 1,000.

    >>> size(156_123), size(1_724_320), size(87)
    ('156 KB', '1.72 MB', '87 B')
    """
    for scale, unit in ((1e6, " MB"), (1e3, " KB")):
        if number >= scale:
            return figures(number / scale) + unit
    return f"{number:,.0f} B"


def percent(share: float) -> str:
    """Write a share with one decimal.

    >>> percent(0.91489)
    '91.5 %'
    """
    return f"{100 * share:.1f} %"


def points(change: float) -> str:
    """Write a difference of shares in percentage points, with its sign.

    >>> points(-0.0171), points(0.00001)
    ('−1.7', '±0.0')
    """
    rounded = round(100 * change, 1)
    return "±0.0" if rounded == 0 else f"{rounded:+.1f}".replace("-", "−")


def seconds(time: float) -> str:
    """Write a time in the unit that suits it.

    >>> seconds(0.00019), seconds(0.0123), seconds(2.5)
    ('0.190 ms', '12.3 ms', '2.50 s')
    """
    return f"{figures(1000 * time)} ms" if time < 1 else f"{figures(time)} s"


def setting(knob: Knob, value: float) -> str:
    """Say a knob's value in words.

    >>> setting(Knob("bits", "bits per weight", (3,), 3), 3), setting(Knob("sparsity", "share", (0.5,), 0.5, True), 0.5)
    ('3 bits', 'sparsity 50 %')
    """
    shown = knob.show(value)
    if knob.name == "bits":
        return f"{shown} bit{'' if value == 1 else 's'}"
    return f"{knob.name} {shown}"
