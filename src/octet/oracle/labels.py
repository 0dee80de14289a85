"""Kubernetes' label selectors (meta/v1 LabelSelector), read as the API reference states them.

What lives here: one function. What it must not know: whose labels they are.
"""

from collections.abc import Mapping
from typing import Any

from octet.oracle.refusal import refuse

Labels = Mapping[str, str]


def selected(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Tell whether a selector matches labels: all of it must hold, and an empty one always does.

    Raises:
        BadConfigurationError: the API would refuse it.
    """
    stated = selector or {}
    equal = (stated.get("matchLabels") or {}).items()
    expressions = stated.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in equal) and all(
        _holds(each, labels) for each in expressions
    )


def _holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
    if (operator in ("In", "NotIn")) != bool(values):
        refuse("LabelSelector", "values", values, "must fit the operator")
    match operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return not (key in labels and labels[key] in values)
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return refuse("LabelSelector", "operator", operator, "must be In, NotIn, Exists or DoesNotExist")
