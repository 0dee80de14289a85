"""Can a provider be had with an installer, at its version? Built in, refused, or brought by oneself.

What lives here: that one judgement. What it must not know: what the provider can do once it is there.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from octet.choose import steps
from octet.choose.evidence import of_fact, of_step
from octet.choose.facts.catalogue import INSTALLERS, Installer
from octet.choose.facts.values import Provider, Step, Truth
from octet.choose.judgement import Judgement
from octet.choose.requirements import Requirements


def possible(requirements: Requirements, provider: Provider) -> Judgement:
    """Is there a way to have it with this installer, at this version?"""
    installer = str(requirements.installer)
    mine = steps.of(provider, installer)
    if not mine:
        return _never_built_in(requirements, provider, installer)
    judged = _built_in(provider, steps.in_force(requirements, mine), mine[0])
    known = _known(installer)
    if judged.truth is Truth.YES or known is None or not known.applies_any:
        return judged
    if requirements.bring_your_own:
        return Judgement(Truth.YES, judged.evidence, f"you would bring it yourself ({known.how})")
    if requirements.bring_your_own is None:
        return replace(judged.doubted(), says=f"{judged.says}: then it takes a manifest of your own")
    return judged


def _known(installer: str) -> Installer | None:
    return next((each for each in INSTALLERS if each.name == installer), None)


def _title(installer: str) -> str:
    known = _known(installer)
    return known.title if known else installer


def _built_in(provider: Provider, found: Sequence[Step | None], first: Step) -> Judgement:
    """Judge by the steps that may be in force; before the first step that one is named."""
    if not any(found):
        says = f"{_title(first.installer)} has {provider.title} from {first.version} on, not before"
        not_yet = msgspec.structs.replace(
            of_step(provider, first), says=f"not before {first.installer} {first.version}"
        )
        return Judgement(Truth.NO, (not_yet,), says)
    truth = steps.together([steps.allows(step) for step in found])
    shown = [step for step in found if step is not None]
    evidence = tuple(of_step(provider, step) for step in shown)
    before = ["not there yet"] if None in found else []
    doubt = "your versions decide: " if truth is Truth.UNKNOWN and len(found) > 1 else ""
    return Judgement(
        truth,
        evidence,
        f"{doubt}{provider.title} is {' or '.join([*before, *(each.says for each in evidence)])}",
    )


def _never_built_in(requirements: Requirements, provider: Provider, installer: str) -> Judgement:
    known = _known(installer)
    if known is None or (installer not in steps.COMPLETE and known.applies_any):
        return Judgement(Truth.YES, (), "any manifest can be applied")
    if not known.applies_any:
        return Judgement(
            Truth.UNKNOWN, (), f"{known.title} has no way to bring {provider.title}: {known.how}"
        )
    truth = {True: Truth.YES, False: Truth.NO, None: Truth.UNKNOWN}[requirements.bring_your_own]
    name = provider.facts.get(f"{installer}-name")
    evidence = () if name is None else (of_fact(provider, name),)
    return Judgement(
        truth, evidence, f"{known.title} never had {provider.title} built in: it takes {known.how}"
    )
