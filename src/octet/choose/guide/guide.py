"""What the templates can ask for: sentences with their footnotes, tables, a packet's way.

What lives here: ``Guide``, one page that is being written. What it must not know: prose, files, clocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from octet import models
from octet.choose import packet
from octet.choose.decision import Decision
from octet.choose.facts import Facts
from octet.choose.facts.catalogue import BY_NAME
from octet.choose.facts.values import Certainty, Count, Fact, Provider, Step
from octet.choose.guide import drawing, figures, words
from octet.choose.guide.markdown import items, table
from octet.choose.guide.notes import UNVERIFIED, Note, Notes, escaped
from octet.choose.guide.statements import Statement, Statements
from octet.measure.results import Results
from octet.models.decisions import DECISIONS

KOPS = "kops"


@dataclass(frozen=True, slots=True)
class Case:
    """A worked case of ``examples/choose``, decided on facts alone.

    Attributes:
        name: of its file, without the ending.
    """

    name: str
    title: str
    story: str
    decision: Decision


@dataclass(slots=True)
class Guide:
    """One page: the order in which its methods are called is the order of its footnotes."""

    facts: Facts
    statements: Statements
    results: Results | None
    counts: tuple[Count, ...] = ()
    cases: tuple[Case, ...] = ()
    notes: Notes = field(default_factory=Notes)

    @property
    def eight(self) -> list[Provider]:
        """The providers that the guide of 2017 listed, alphabetically."""
        return self._sorted(modelled=True)

    @property
    def others(self) -> list[Provider]:
        """Those that came since, alphabetically."""
        return self._sorted(modelled=False)

    @property
    def everybody(self) -> list[Provider]:
        """All of them, as the sections stand."""
        return [*self.eight, *self.others]

    def _sorted(self, *, modelled: bool) -> list[Provider]:
        found = [each for each in self.facts.providers if bool(each.model) is modelled]
        return sorted(found, key=lambda each: each.title.lower())

    def said(self, name: str) -> str:
        """Return a general statement with its footnote."""
        return self._statement(self.statements.general[name])

    def about(self, provider: Provider) -> str:
        """Return what there is to say of a provider beside its facts."""
        return " ".join(self._statement(each) for each in self.statements.about.get(provider.name, ()))

    def _statement(self, each: Statement) -> str:
        doubt = f" ({UNVERIFIED})" if each.certainty is Certainty.UNVERIFIED else ""
        return f"{each.text}{doubt}{self.notes.mark(Note(each.source, each.as_of, each.certainty))}"

    def fact(self, name: str, key: str) -> str:
        """Return a provider's answer with its footnote."""
        return self._cell(self.facts.get(name).facts[key])

    def noted(self, provider: Provider, key: str) -> str:
        """Return a provider's answer, what there is to know beside it, and the footnote."""
        fact = provider.facts[key]
        note = f". {words.noted(fact.note)}" if fact.note else ""
        return f"{words.shown(fact)}{note}{self.notes.of(fact, said=True)}"

    def glance(self) -> str:
        """Return a row for each provider, with a link to its section: what it is, alive or not, kops."""
        rows = [
            [
                f"[{each.title}](#{anchor(each.title)})",
                f"{escaped(each.summary)}{self.marks(each, 'repository')}",
                self._cell(each.facts["status"]),
                self._last(each),
                self.now_in_kops(each, brief=True),
            ]
            for each in self.everybody
        ]
        return table(["", "what it is", "status", "last release", "in kops"], rows)

    def _last(self, provider: Provider) -> str:
        day = provider.facts["latest-release-date"]
        return self._cell(day if day.value is not None else provider.facts["latest-release"])

    def marks(self, provider: Provider, *keys: str) -> str:
        """Return the footnotes of facts that a sentence sums up, each once."""
        found = (self.notes.of(provider.facts[key], said=True) for key in keys if key in provider.facts)
        return "".join(dict.fromkeys(found))

    def _cell(self, fact: Fact) -> str:
        return f"{words.shown(fact)}{self.notes.of(fact)}"

    def standing(self, provider: Provider) -> str:
        """Return where a provider stands: alive or not, since when, under whom, how nodes agree."""
        rows = [
            ["Status", self.noted(provider, "status")],
            ["First release", self._release(provider, "first-release")],
            ["Latest release", self._release(provider, "latest-release")],
            ["Licence", self.noted(provider, "licence")],
            ["Who decides", self.noted(provider, "governance")],
            ["Nodes agree through", self.noted(provider, "stores")],
            ["Ways to another node", self.noted(provider, "transports")],
            ["In kops", self.now_in_kops(provider)],
            ["In Octet", self.row(provider)],
        ]
        return table(["", provider.title], rows)

    def _release(self, provider: Provider, key: str) -> str:
        version, day = provider.facts[key], provider.facts[f"{key}-date"]
        if day.value is None:
            return self.noted(provider, key)
        note = f". {words.noted(version.note)}" if version.note else ""
        marks = self.marks(provider, key, f"{key}-date")
        return f"{words.shown(version)}, {words.shown(day)}{note}{marks}"

    def row(self, provider: Provider) -> str:
        """Return whether Octet has a model of a provider that runs."""
        if not provider.model:
            return "not one of the networks that Octet models"
        if provider.model not in models.names():
            return f"no row yet for a model of {provider.title}"
        return f"our model of it runs: `octet lab up --model {provider.model}`"

    def limits(self, provider: Provider, *, dated: bool = False) -> str:
        """Return a provider's limits with the mechanism behind each; with the day where that is the point."""
        return items(self._limit(each, f", {each.as_of}" if dated else "") for each in provider.limits)

    def _limit(self, each: Fact, day: str) -> str:
        name = BY_NAME[each.key].question
        mark = self.notes.of(each, said=True)
        return f"{name}{day}: **{words.shown(each)}**. {escaped(each.note)}{mark}"

    def ways(self, provider: Provider) -> list[packet.Walk]:
        """Return the ways of our model of a provider and of its variants; none where there is no row."""
        names = [name for name in models.names() if name.partition(":")[0] == provider.model]
        return [packet.walk(name) for name in names]

    def drawn(self, walk: packet.Walk) -> str:
        """Return a way as text."""
        return drawing.drawn(walk)

    def wires(self, ways: Sequence[packet.Walk]) -> list[list[str]]:
        """Return a row for each way: what is around a packet between nodes, in bytes, over IPv4 and IPv6."""
        return [self._wire(way) for way in ways]

    def _wire(self, way: packet.Walk) -> list[str]:
        other = packet.walk(way.model, 6)
        added = f"{way.overhead} bytes" if way.tunnelled else "nothing"
        if other.overhead != way.overhead:
            added += f" ({other.overhead} over IPv6)"
        left = (
            f"{way.pod_mtu}" if other.pod_mtu == way.pod_mtu else f"{way.pod_mtu} ({other.pod_mtu} over IPv6)"
        )
        return [f"`{way.model}`", ", ".join(header.protocol for header in way.wire), added, left]

    def decisions(self) -> str:
        """Return the six questions."""
        return items(f"**{name}**: {question}" for name, question in DECISIONS.items())

    def choices(self) -> str:
        """Return what each of our models answers to the six questions."""
        rows = [
            [f"our model `{model.name}`", *(_choice(getattr(model, name)) for name in DECISIONS)]
            for model in models.MODELS
        ]
        return table(["", *DECISIONS], rows)

    def matrix(self, columns: Mapping[str, str]) -> str:
        """Return every provider's answers to some questions: head to key."""
        rows = [
            [provider.title, *(self._cell(provider.facts[key]) for key in columns.values())]
            for provider in self.everybody
        ]
        return table(["", *columns], rows)

    def now_in_kops(self, provider: Provider, *, brief: bool = False) -> str:
        """Return the latest step of kops with its note (in the footnote where it must be brief)."""
        taken = words.steps(provider, KOPS)
        if not taken:
            return "never built in; bring it along with `cni: {}`"
        return self._step(taken[-1], brief=brief)

    def lifecycle(self, provider: Provider) -> str:
        """Return all steps of kops, oldest first."""
        taken = words.steps(provider, KOPS)
        return "; ".join(self._step(each) for each in taken) if taken else "never built in"

    def _step(self, each: Step, *, brief: bool = False) -> str:
        note = Note(each.source, each.as_of, each.certainty, each.note if brief else "")
        return f"{words.step(each, brief=brief)}{self.notes.mark(note)}"

    def kops(self) -> str:
        """Return what each provider is called in kops, what is shipped, and how that stands."""
        head = ["", "`spec.networking`", "`--networking`", "kops ships", "how that stands"]
        rows = [
            [
                provider.title,
                self._code(provider, "kops-name"),
                self._code(provider, "kops-flag"),
                self.noted(provider, "kops-ships"),
                self.now_in_kops(provider),
            ]
            for provider in self.everybody
            if words.steps(provider, KOPS)
        ]
        return table(head, rows)

    def _code(self, provider: Provider, key: str) -> str:
        fact = provider.facts.get(key)
        if fact is None or fact.value is None:
            return words.UNKNOWN
        return f"`{fact.value}`{self.notes.of(fact)}"

    def lifecycles(self) -> str:
        """Return all that kops allowed over time, a provider a line."""
        return items(f"**{each.title}**: {self.lifecycle(each)}" for each in self.everybody)

    def reach(self, pairs: Mapping[str, Sequence[str]]) -> str:
        """Return a provider's abilities beside what kops lets one reach: head to both keys."""
        head = ["", *(text for name in pairs for text in (name, "through kops"))]
        rows = [
            [each.title, *(self._cell(each.facts[key]) for keys in pairs.values() for key in keys)]
            for each in self.everybody
            if words.steps(each, KOPS)
        ]
        return table(head, rows)

    def support(self) -> str:
        """Return who sells support for what, from when until when."""
        keys = ("support-by", "support-from", "support-until")
        rows = [
            [
                each.title,
                self.noted(each, "commercial-support"),
                *(self._cell(each.facts[key]) for key in keys),
            ]
            for each in self.everybody
        ]
        return table(["", "to be had today", "from whom", "from", "until"], rows)

    def measured(self) -> str:
        """Return the footnote of the stored figures; nothing where none are stored."""
        if self.results is None:
            return ""
        source = f"octet compare, seed {self.results.seed}, Python {self.results.versions.get('python', '')}"
        return self.notes.mark(Note(source, figures.day(self.results), Certainty.COMPUTED))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Return a table of what a template has put together."""
        return table(head, rows)

    def items(self, lines: Sequence[str]) -> str:
        """Return a list."""
        return items(map(escaped, lines))


def anchor(heading: str) -> str:
    """Return where a heading is linked to, as GitHub makes it: lower case, hyphens, no other punctuation."""
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _choice(text: str) -> str:
    """Return one of a model's choices; a dash in the table of models leaves it to somebody else."""
    return "left to somebody else" if text == "-" else text
