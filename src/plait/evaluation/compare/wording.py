"""Numbers of a comparison as tables and pages show them."""

from __future__ import annotations


def hundredths(value: float) -> str:
    """Return a value of a measure in hundredths: "41.3"."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """Return a difference of values in hundredths, with its sign: "+12.5"."""
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text


def p_value(p: float) -> str:
    """Return a p value with four digits, or that it is less."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"
