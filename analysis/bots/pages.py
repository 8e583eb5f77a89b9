"""HTML as a bot sees it: a small tree, and forms that can be filled and submitted as a browser would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
NOT_SENT = frozenset({"submit", "button", "reset", "image", "file"})
Answer = str | Sequence[str]


class FormError(Exception):
    """A form lacks what somebody wanted to fill in."""


# --- The tree -------------------------------------------------------------------------------


@dataclass(eq=False)
class Node:
    """An element with its attributes and what is inside it."""

    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)
    parent: Node | None = None

    def walk(self) -> Iterator[Node]:
        """This element and every one inside it, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    def all(self, *tags: str, **attrs: str) -> list[Node]:
        """Elements of these tags (any, if none is given) with these attributes; `data_x` means `data-x`."""
        wanted = {name.replace("_", "-"): value for name, value in attrs.items()}
        return [
            node
            for node in self.walk()
            if (not tags or node.tag in tags) and all(node.attrs.get(n) == v for n, v in wanted.items())
        ]

    def first(self, *tags: str, **attrs: str) -> Node | None:
        found = self.all(*tags, **attrs)
        return found[0] if found else None

    def within(self, tag: str) -> Node | None:
        """The nearest element of this tag around it."""
        node = self.parent
        while node is not None and node.tag != tag:
            node = node.parent
        return node

    def shown_text(self) -> str:
        """The words that people see: without what is hidden."""
        parts = (c if isinstance(c, str) else c.shown_text() for c in self.children)
        return "" if "hidden" in self.attrs else " ".join(" ".join(parts).split())

    def raw_text(self) -> str:
        return "".join(c if isinstance(c, str) else c.raw_text() for c in self.children)

    @property
    def text(self) -> str:
        return " ".join(self.raw_text().split())


class _Builder(HTMLParser):
    """Builds the tree; forgiving about what is never closed, as browsers are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("document")
        self.here = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs}, parent=self.here)
        self.here.children.append(node)
        if tag not in VOID:
            self.here = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        node: Node | None = self.here
        while node is not None and node.tag != tag:
            node = node.parent
        if node is not None and node.parent is not None:
            self.here = node.parent

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)


def parse(html: str) -> Node:
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


# --- Forms ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """All controls of one name: their kind, what can be chosen, and what is chosen or typed now."""

    name: str
    kind: str
    values: tuple[str, ...]
    options: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    legend: str = ""

    @property
    def is_choice(self) -> bool:
        return self.kind in ("radio", "checkbox", "select")


@dataclass(frozen=True)
class Button:
    """Something that submits: its words, the name and value it sends, and where it sends the form."""

    text: str
    name: str = ""
    value: str = ""
    action: str = ""


@dataclass(frozen=True)
class Form:
    """A form on a page; `fields` by name, in order."""

    action: str
    method: str
    fields: Mapping[str, Field]
    buttons: tuple[Button, ...]
    id: str = ""

    def asks(self) -> tuple[Field, ...]:
        """What a person fills in: everything but hidden fields."""
        return tuple(f for f in self.fields.values() if f.kind != "hidden")

    def button(self, **wanted: str) -> Button:
        """The button with these properties, or the first one.

        Raises:
            FormError: there is none.
        """
        for button in self.buttons:
            if all(getattr(button, name) == value for name, value in wanted.items()):
                return button
        raise FormError(f"no button {wanted or ''} among {[b.text for b in self.buttons]}")

    def filled(self, answers: Mapping[str, Answer], button: Button | None = None) -> list[tuple[str, str]]:
        """What a browser would send: these answers, and everything else as it stands.

        Raises:
            FormError: an answer has no field, or is none of its options.
        """
        unknown = set(answers) - {f.name for f in self.asks()}
        if unknown:
            raise FormError(f"no field {', '.join(sorted(unknown))} among {', '.join(self.fields) or 'none'}")
        sent: list[tuple[str, str]] = []
        for each in self.fields.values():
            chosen = _chosen(each, answers[each.name]) if each.name in answers else each.values
            sent += [(each.name, _typed(value) if each.kind == "textarea" else value) for value in chosen]
        if button is not None and button.name:
            sent.append((button.name, button.value))
        return sent


def _chosen(field: Field, answer: Answer) -> tuple[str, ...]:
    values = (answer,) if isinstance(answer, str) else tuple(answer)
    wrong = [value for value in values if field.is_choice and value not in field.options]
    if wrong:
        raise FormError(f"{field.name} has no option {', '.join(wrong)}; it has {', '.join(field.options)}")
    if len(values) > 1 and field.kind != "checkbox":
        raise FormError(f"{field.name} takes one answer")
    return values


def _typed(text: str) -> str:
    """Browsers send the lines of a text box with both line ends."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def forms(root: Node) -> list[Form]:
    return [_form(node, root) for node in root.all("form")]


def _form(node: Node, root: Node) -> Form:
    inside = [n for n in root.walk() if n.attrs.get("form") == node.attrs.get("id", "\0")] + list(node.walk())
    controls = [n for n in inside if n.tag in ("input", "textarea", "select", "button") and _enabled(n)]
    fields: dict[str, Field] = {}
    for control in controls:
        if _is_field(control):
            name = control.attrs["name"]
            fields[name] = _merged(fields.get(name), control, root)
    return Form(
        action=node.attrs.get("action", ""),
        method=node.attrs.get("method", "get").lower(),
        fields=fields,
        buttons=tuple(_button(n) for n in controls if _submits(n)),
        id=node.attrs.get("id", ""),
    )


def _enabled(node: Node) -> bool:
    around: Node | None = node
    while around is not None:
        if "disabled" in around.attrs:
            return False
        around = around.within("fieldset")
    return True


def _is_field(node: Node) -> bool:
    return node.tag != "button" and bool(node.attrs.get("name")) and _kind(node) not in NOT_SENT


def _submits(node: Node) -> bool:
    default = "submit" if node.tag == "button" else ""
    return node.tag in ("button", "input") and node.attrs.get("type", default) == "submit"


def _button(node: Node) -> Button:
    read = node.attrs.get
    words = node.text or read("value", "")
    return Button(words, read("name", ""), read("value", ""), read("formaction", ""))


def _kind(node: Node) -> str:
    return node.attrs.get("type", "text").lower() if node.tag == "input" else node.tag


def _merged(before: Field | None, node: Node, root: Node) -> Field:
    """The field with one more of its controls."""
    kind, name = _kind(node), node.attrs["name"]
    if kind not in ("radio", "checkbox"):
        options = tuple(o.attrs.get("value", o.text) for o in node.all("option"))
        return Field(name, kind, _values(node, kind), options, legend=_label(node, root))
    value = node.attrs.get("value", "on")
    checked = (value,) if "checked" in node.attrs else ()
    before = before or Field(name, kind, (), legend=_legend(node))
    return Field(
        name,
        kind,
        before.values + checked,
        (*before.options, value),
        (*before.labels, _label(node, root)),
        before.legend,
    )


def _values(node: Node, kind: str) -> tuple[str, ...]:
    if kind == "textarea":
        return (node.raw_text().removeprefix("\n"),)
    if kind == "select":
        options = node.all("option")
        chosen = [o for o in options if "selected" in o.attrs] or options[:1]
        return tuple(o.attrs.get("value", o.text) for o in chosen)
    return (node.attrs.get("value", ""),)


def _label(node: Node, root: Node) -> str:
    around = node.within("label")
    if around is not None:
        return around.text
    own = node.attrs.get("id")
    label = root.first("label", **{"for": own}) if own else None
    return label.text if label is not None else ""


def _legend(node: Node) -> str:
    fieldset = node.within("fieldset")
    legend = fieldset.first("legend") if fieldset is not None else None
    return legend.text if legend is not None else ""
