"""Can a provider be had with an installer, at its version? Built in, refused, or brought by oneself.

What lives here: that one judgement. What it must not know: what the provider can do once it is there.
"""

from octet.choose import steps
from octet.choose.evidence import of_fact, of_step
from octet.choose.facts.catalogue import INSTALLERS
from octet.choose.facts.values import Provider, Truth
from octet.choose.judgement import Judgement
from octet.choose.requirements import Requirements


def possible(requirements: Requirements, provider: Provider) -> Judgement:
    """Is there a way to have it with this installer, at this version?"""
    installer = str(requirements.installer)
    mine = steps.of(provider, installer)
    known = next((each for each in INSTALLERS if each.name == installer), None)
    if not mine:
        return _never_built_in(requirements, provider, installer)
    found = steps.in_force(requirements, mine)
    truth = steps.together([steps.allows(step) for step in found])
    shown = tuple(of_step(provider, step) for step in found if step is not None)
    evidence = shown or (of_step(provider, mine[0]),)
    if truth is not Truth.YES and requirements.bring_your_own and known is not None and known.applies_any:
        return Judgement(Truth.YES, evidence, f"you would bring it yourself ({known.how})")
    says = " or ".join(each.says for each in evidence)
    if truth is Truth.UNKNOWN and len(found) > 1:
        return Judgement(truth, evidence, f"your versions decide: {provider.title} is {says}")
    return Judgement(truth, evidence, f"{provider.title} is {says}")


def _never_built_in(requirements: Requirements, provider: Provider, installer: str) -> Judgement:
    known = next((each for each in INSTALLERS if each.name == installer), None)
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
