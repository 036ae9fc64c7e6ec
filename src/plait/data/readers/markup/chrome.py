"""What on an HTML page is not its content: navigation, sidebars, headers, scripts, icons.

Decided by tag, role, id and class, from what Sphinx (alabaster, pydata, scikit-learn, astropy, Read
the Docs), DocBook, Doxygen, pandoc, MkDocs and MediaWiki write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

Attributes = Mapping[str, str | None]


def names(text: str) -> frozenset[str]:
    """Return the words of a string, as a set."""
    return frozenset(text.split())


SKIPPED_TAGS = names(
    "script style noscript template iframe object embed audio video canvas map head title link meta "
    "button input select textarea datalist dialog"
)
_ROLES = frozenset({"navigation", "search", "banner", "contentinfo", "tablist", "menu", "menubar", "tooltip"})
_IDS = names(
    "titlearea main-nav nav-path side-nav MSearchSelectWindow MSearchResultsWindow searchbox search-box "
    "sidebar footer navbar toc-sidebar table-of-contents TOC rtd-footer-container"
)
_CLASSES = re.compile(
    r"""(?:^|\s)(?:
    navheader|navfooter|nav-?path|nav-?bar|navbar-\S+|navigation|breadcrumbs?|wy-breadcrumbs\S*|
    sphinxsidebar|sidebar|sidebar-\S+|bd-(?:sidebar|header|footer|toc)\S*|wy-nav-(?:side|top)|rst-footer-buttons|
    sk-(?:docs-navbar|sidebar)\S*|topbar|related|relations|prev-next\S*|
    footer|page-?footer|site-(?:header|footer)|md-(?:header|footer|sidebar|nav)\S*|
    (?:gen|mod)?indextable|toc|toctree-wrapper-nav|localtoc|table-of-contents|contents-sidebar|
    ttc|skip-?link\S*|skiplink|searchbox|search-form|
    mw-editsection|mw-jump-link|noprint|vector-\S*menu\S*|
    sphx-glr-(?:footer|signature|download-link-note)\S*|
    katex-html|MathJax_Preview|linenos|linenodiv|lineno|copybtn|copybutton|sr-only|visually-hidden
    )(?=\s|$)""",
    re.X,
)
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
_ADMONITIONS = frozenset({"[Note]", "[Tip]", "[Warning]", "[Caution]", "[Important]"})  # DocBook's icons
_SMALLEST_DRAWING_PX = 48
_ICON_CLASSES = re.compile(r"(?:^|\s)(?:icon|logo|badge|emoji|sk-brand-img|footer|inline-?icon)(?=\s|$)")


def is_chrome(tag: str, attributes: Attributes) -> bool:
    """Tell whether an element and all in it is no content of the page."""
    if tag in ("nav", "footer"):
        return True
    if not attributes:
        return False
    classes = attributes.get("class")
    if classes and (_by_class if len(classes) < 300 else _by_class.__wrapped__)(tag, classes):
        return True
    if len(attributes) == 1 and classes:
        return False
    if attributes.get("role") in _ROLES or "hidden" in attributes or attributes.get("id") in _IDS:
        return True
    style = attributes.get("style")
    return bool(style and _HIDDEN.search(style))


@lru_cache(maxsize=4096)
def _by_class(tag: str, classes: str) -> bool:
    """Tell it from the classes; a page repeats few of them thousands of times."""
    if not _CLASSES.search(classes):
        return False
    # Sphinx calls a box beside the text a sidebar too; that one is content.
    return not (tag in ("aside", "div") and classes.strip().split()[0] in ("admonition", "topic"))


def is_icon(attributes: Attributes) -> bool:
    """Tell from its attributes whether an image is decoration."""
    classes = attributes.get("class")
    if (classes and _ICON_CLASSES.search(classes)) or attributes.get("alt") in _ADMONITIONS:
        return True
    return any(0 < _pixels(attributes.get(side)) < 24 for side in ("width", "height"))


def _pixels(value: str | None) -> int:
    digits = re.match(r"\s*(\d+)(?:\.\d+)?\s*(?:px)?\s*$", value or "")
    return int(digits[1]) if digits else 0


def is_drawing(attributes: Attributes) -> bool:
    """Tell from its attributes whether an <svg> is a figure rather than an icon."""
    if attributes.get("aria-hidden") == "true" or is_icon(attributes):
        return False
    sides = [_pixels(attributes.get(side)) for side in ("width", "height")]
    if all(sides):
        return min(sides) >= _SMALLEST_DRAWING_PX
    # Icons are drawn on a square of 16 to 512 units, and take their size from a style sheet.
    box = re.findall(r"\d+", (attributes.get("viewbox") or attributes.get("viewBox") or "")[:100])
    return len(box) >= 4 and box[-1] != box[-2] and attributes.get("width") is not None
