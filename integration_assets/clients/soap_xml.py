"""XML as the register services write it: parsed safely, read by names and never by position.

Belongs here: parsing and walking elements. What a service says is in its own module. Promises: no entities, document
types or network when parsing. Does not promise that a document keeps to a schema: whoever reads copes with absence.
"""

from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - lxml has no types

Element = Any
"""An lxml element (lxml has no public name for its type)."""


def parse(content: bytes) -> Element:
    """The root of a document. Raises ValueError when it is not well-formed or has a document type."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError:
        raise ValueError("not well-formed XML") from None
    if root.getroottree().docinfo.doctype:
        raise ValueError("a document type, which is not allowed")
    return root


def local(element: Element) -> str:
    """The name without namespace; empty for comments. Versions of the contracts differ in the namespace only."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def child(element: Element | None, *path: str) -> Element | None:
    """The first element along a path of local names, or None."""
    for name in path:
        if element is None:
            return None
        element = next((part for part in element if local(part) == name), None)
    return element


def text(element: Element | None, *path: str) -> str | None:
    """The stripped text at the end of a path of local names; None when absent or empty."""
    found = child(element, *path)
    value = (found.text or "").strip() if found is not None else ""
    return value or None
