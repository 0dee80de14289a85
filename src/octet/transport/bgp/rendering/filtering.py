"""Filters as BIRD's functions: they accept or reject, or return where no rule decides.

What lives here: one file a filter, four functions each. What it must not know: sessions.
"""

from collections.abc import Iterable

from octet.blueprint import Blueprint, ConfigFile
from octet.transport.bgp.filters import Filter, Rule
from octet.transport.bgp.rendering.words import (
    DAEMON,
    Lines,
    block,
    joined,
    pattern,
    slug,
    symbol,
    tagging,
)

_KINDS = {2: "bgp_community", 3: "bgp_large_community"}


def filters(wanted: Iterable[Filter]) -> Blueprint:
    """Return the file of each filter.

    Raises:
        BadConfigurationError: a rule that BIRD can't be told.
    """
    return Blueprint(
        ConfigFile(DAEMON, filter_file(each.name), (joined(_functions(each)),)) for each in wanted
    )


def filter_file(name: str) -> str:
    """Return the name of a filter's file."""
    return f"filter.{slug(name)}.conf"


def called(name: str, direction: str, family: int) -> str:
    """Return the symbol of a filter's function, as sessions call it; it is told whether the peer is iBGP."""
    return symbol("filter", name, f":{direction}{family}")


def _functions(held: Filter) -> Lines:
    lines: Lines = []
    for direction in ("import", "export"):
        for family in (4, 6):
            rules = held.rules(direction, family)
            body = [
                line
                for number, rule in enumerate(rules)
                for line in _rule(rule, f"filter {held.name}", f"{direction}V{family}[{number}]")
            ]
            head = f"function {called(held.name, direction, family)}(bool of_own_as)"
            lines += block(head, [*body, "return true;"])
    return lines


def _rule(rule: Rule, source: str, field: str) -> Lines:
    act = [*tagging(rule.add_communities), *_prepend(rule), f"{rule.action.value};"]
    conditions = _conditions(rule, source, field)
    return block(f"if {' && '.join(conditions)} then", act) if conditions else act


def _prepend(rule: Rule) -> Lines:
    """Return statements that put the numbers in front of the path, the first of them first."""
    return [f"bgp_path.prepend({asn});" for asn in reversed(rule.prepend)]


def _conditions(rule: Rule, source: str, field: str) -> Lines:
    found: Lines = []
    if rule.cidr is not None:
        lengths = "{{{},{}}}".format(*rule.lengths) if rule.lengths is not None else ""
        prefix = f"[ {rule.cidr}{lengths} ]" if lengths else str(rule.cidr)
        found.append(f"net {rule.operator.value} {prefix}")
    found += ["source = RTS_BGP"] if rule.learned else []
    if rule.interface:
        found.append(f"ifname ~ {pattern(source, f'{field}.interface', rule.interface)}")
    found += [f"({', '.join(map(str, each))}) ~ {_KINDS[len(each)]}" for each in rule.communities]
    if rule.path_prefix:
        found.append(f"bgp_path ~ [= {' '.join(map(str, rule.path_prefix))} * =]")
    if rule.of_own_as is not None:
        found.append("of_own_as" if rule.of_own_as else "!of_own_as")
    return found
