"""What on an HTML page is not its content: navigation, sidebars, headers, scripts, icons.

Decided by tag, role, id and class, from what Sphinx (alabaster, pydata, scikit-learn, astropy, Read
the Docs), DocBook, Doxygen, pandoc, MkDocs and MediaWiki write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Attributes = Mapping[str, str | None]


def names(text: str) -> frozenset[str]:
    """Return the words of a string, as a set."""
    return frozenset(text.split())


SKIPPED_TAGS = names(
    "script style noscript template iframe object embed audio video canvas map head title link meta "
    "button input select textarea datalist dialog svg"
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
    toc|toctree-wrapper-nav|localtoc|table-of-contents|contents-sidebar|
    ttc|skip-?link\S*|skiplink|searchbox|search-form|
    mw-editsection|mw-jump-link|noprint|vector-\S*menu\S*|
    sphx-glr-(?:footer|signature|download-link-note)\S*|
    linenos|linenodiv|lineno|copybtn|copybutton|sr-only|visually-hidden
    )(?=\s|$)""",
    re.X,
)
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
_ADMONITIONS = frozenset({"[Note]", "[Tip]", "[Warning]", "[Caution]", "[Important]"})  # DocBook's icons
_ICON_CLASSES = re.compile(r"(?:^|\s)(?:icon|logo|badge|emoji|sk-brand-img|footer|inline-?icon)(?=\s|$)")


def is_chrome(tag: str, attributes: Attributes) -> bool:
    """Tell whether an element and all in it is no content of the page."""
    if tag in ("nav", "footer"):
        return True
    if attributes.get("role") in _ROLES or "hidden" in attributes or attributes.get("id") in _IDS:
        return True
    classes = attributes.get("class")
    if classes and _CLASSES.search(classes):
        # Sphinx calls a box beside the text a sidebar too; that one is content.
        return not (tag in ("aside", "div") and classes.strip().split()[0] in ("admonition", "topic"))
    style = attributes.get("style")
    return bool(style and _HIDDEN.search(style))


def is_icon(attributes: Attributes) -> bool:
    """Tell from its attributes whether an image is decoration."""
    classes = attributes.get("class")
    if (classes and _ICON_CLASSES.search(classes)) or attributes.get("alt") in _ADMONITIONS:
        return True
    return any(0 < _pixels(attributes.get(side)) < 24 for side in ("width", "height"))


def _pixels(value: str | None) -> int:
    digits = re.match(r"\s*(\d+)(?:\.\d+)?\s*(?:px)?\s*$", value or "")
    return int(digits[1]) if digits else 0
