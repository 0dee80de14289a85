"""Model kube-router with very many services: what a change of one leaves as it was."""

import pytest

from octet.blueprint.nft import Element
from octet.measure.serving import Node, endpoints, service

COUNT = 200


@pytest.mark.parametrize(
    ("kind", "item", "different"),
    [("EndpointSlice", endpoints(7, (1,)), 7), ("Service", service(7, {"team": "shop"}), 0)],
)
def test_a_change_of_one_service_makes_none_of_the_others_anew(
    kind: str, item: dict[str, object], different: int
) -> None:
    """What the others hold is not only equal, it is the very same objects: nothing of it is made again."""
    node = Node(COUNT)
    before = {each.key: each for each in node.desired.objects.values()}
    assert node.change(kind, item)[1] == different
    after = node.running.node(node.view)
    ports = [each for each in after.of(Element) if each.of == "service-port4"]
    assert len(ports) == 4 * COUNT
    anew = {str(each.values[0]) for each in ports if each is not before[each.key]}
    assert anew <= {"10.96.0.8", "192.1.0.8"}
