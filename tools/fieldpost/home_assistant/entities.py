"""Which entity of Home Assistant a field is: by its own registry, never by a guess at its name.

A node gives each entity a unique id (`<node>.<field>`); the entity's name, and with it the id of
its statistics, may have been changed by the owner.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fieldpost.home_assistant.units import can_convert, unit_class, unit_of
from fieldpost.home_assistant.websocket import HomeAssistant


@dataclass(frozen=True)
class Entity:
    """statistic_id: its entity id. unit: of its statistics, and unit_class that unit's converter.

    source_unit: what the node publishes in.
    """

    statistic_id: str
    unit: str | None
    unit_class: str | None
    source_unit: str | None


@dataclass(frozen=True)
class NoStatistics:
    """Why a field can have none. is_fault: whether the owner has something to mend."""

    why: str
    is_fault: bool = True


def look_up(
    home: HomeAssistant, fields: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Entity | NoStatistics]:
    """What each (node, field) is there."""
    wanted = list(fields)
    registry = {
        str(one.get("unique_id")): one
        for one in _objects(home.ask("config/entity_registry/list"))
        if one.get("platform") == "mqtt"
    }
    unknown = {
        node
        for node in {node for node, _ in wanted}
        if not any(unique_id.startswith(f"{node}.") for unique_id in registry)
    }
    states = {str(one.get("entity_id")): one for one in _objects(home.ask("get_states"))}
    entity_ids = [
        str(registry[f"{node}.{name}"].get("entity_id"))
        for node, name in wanted
        if f"{node}.{name}" in registry
    ]
    kept = {
        str(one.get("statistic_id")): one
        for one in _objects(home.ask("recorder/get_statistics_metadata", statistic_ids=entity_ids))
    }
    return {
        (node, name): _no_such_node(node)
        if node in unknown
        else _entity(name, registry.get(f"{node}.{name}"), states, kept)
        for node, name in wanted
    }


def _no_such_node(node: str) -> NoStatistics:
    return NoStatistics(
        f'Home Assistant has no entity of a node {node}: has it "home_assistant" in its '
        "configuration, and was it online since?"
    )


def _entity(
    field: str,
    entry: dict[str, Any] | None,
    states: dict[str, dict[str, Any]],
    kept: dict[str, dict[str, Any]],
) -> Entity | NoStatistics:
    if entry is None:
        return NoStatistics("Home Assistant has no entity of this field")
    entity_id = str(entry.get("entity_id"))
    if not entity_id.startswith("sensor."):
        kind = entity_id.partition(".")[0]
        return NoStatistics(f"{entity_id} is a {kind}, which has no statistics", is_fault=False)
    if entry.get("disabled_by"):
        return NoStatistics(f"{entity_id} is disabled in Home Assistant", is_fault=False)
    known = kept.get(entity_id)
    state = states.get(entity_id)
    told = state.get("attributes") if state else None
    attributes: dict[str, Any] = told if isinstance(told, dict) else {}
    if known is None:
        if state is None:
            return NoStatistics(f"{entity_id} has no state: is MQTT set up and running there?")
        if attributes.get("state_class") != "measurement":
            return NoStatistics(f"{entity_id} is no measurement there, so it has no statistics")
        unit = attributes.get("unit_of_measurement")
        converter = unit_class(unit)
    else:
        if known.get("has_sum") or known.get("has_mean") is False:
            return NoStatistics(f"the statistics of {entity_id} are sums, and not means")
        unit = known.get("statistics_unit_of_measurement")
        converter = known.get("unit_class")
    source = unit_of(field)
    if not can_convert(source, unit):
        return NoStatistics(
            f"the statistics of {entity_id} are in {unit or 'no unit'}, the readings in "
            f"{source or 'no unit'}: mend that in Home Assistant (Developer tools, Statistics)"
        )
    return Entity(entity_id, unit, converter, source)


def _objects(answer: Any) -> list[dict[str, Any]]:
    return [one for one in answer if isinstance(one, dict)] if isinstance(answer, list) else []
