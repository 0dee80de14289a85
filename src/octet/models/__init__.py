"""The models: what octet can be. Read ``table`` first, then ``model``, then one model's module.

What lives here: the table of models and how one is found by name. What it must not know: kernels, stores.
"""

from dataclasses import replace

from octet.errors import BadConfigurationError
from octet.models.model import Model, Options, Running, together
from octet.models.table import MODELS


def names() -> tuple[str, ...]:
    """Return every name that ``find`` knows: models, and their variants as ``model:variant``."""
    return tuple(
        name
        for model in MODELS
        for name in (model.name, *(f"{model.name}:{variant}" for variant in model.variants))
    )


def find(name: str) -> Model:
    """Return a model by name, as ``flannel``, or a variant of it, as ``flannel:host-gw``.

    A variant is a model that has some options already; ``parse`` takes the others.

    Raises:
        BadConfigurationError: there is no such model or variant.
    """
    for model in MODELS:
        if name == model.name:
            return model
        for variant, preset in model.variants.items():
            if name == f"{model.name}:{variant}":
                return replace(model, name=name, preset=preset)
    raise BadConfigurationError("model", "name", name, "is no model", hint=f"one of {', '.join(names())}")


__all__ = ["MODELS", "Model", "Options", "Running", "find", "names", "together"]
