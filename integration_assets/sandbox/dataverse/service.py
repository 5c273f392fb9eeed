"""Which resource of the Web API an exchange means, and what it does there.

Belongs here: the map from path and method to reading and writing, and links ($ref). One exchange is one transaction.
"""

from integration_assets.sandbox.dataverse import errors
from integration_assets.sandbox.dataverse.csdl import csdl_answer
from integration_assets.sandbox.dataverse.messages import answer_about
from integration_assets.sandbox.dataverse.metadata import metadata_answer
from integration_assets.sandbox.dataverse.model import Lookup, ManyToMany, Table
from integration_assets.sandbox.dataverse.paths import (
    Segment,
    entity_url,
    guid,
    reference,
    row_key,
    split_path,
    table_of,
)
from integration_assets.sandbox.dataverse.query import count_answer, list_answer, row_answer
from integration_assets.sandbox.dataverse.rows import Rows
from integration_assets.sandbox.dataverse.wire import (
    Answer,
    Exchange,
    empty_answer,
    error_answer,
    etag,
    json_answer,
)
from integration_assets.sandbox.dataverse.writes import (
    BULK_PREFIX,
    bulk,
    check_version,
    create,
    delete,
    patch,
    set_column,
)

_REF = Segment("$ref")


def answer(rows: Rows, exchange: Exchange) -> Answer:
    """Do what the exchange asks for. A refusal is an answer too, and leaves nothing behind."""
    try:
        return perform(rows, exchange)
    except errors.DataverseError as error:
        return error_answer(error)


def perform(rows: Rows, exchange: Exchange) -> Answer:
    """As `answer`, but a refusal is raised as DataverseError (for change sets, which undo more than one exchange)."""
    segments = split_path(exchange.path)
    with rows.transaction():
        found = _perform(rows, exchange, segments)
    if exchange.method != "GET" and not found.bulk_rows:
        found.single_rows = 1
    return found


def _perform(rows: Rows, exchange: Exchange, segments: list[Segment]) -> Answer:
    if not segments:
        raise errors.no_segment("")
    found = answer_about(rows, exchange, segments)
    if found is not None:
        return found
    if segments[0].name == "$metadata":
        return csdl_answer(rows.schema, exchange)
    if segments[0].name == "EntityDefinitions":
        return metadata_answer(rows.schema, exchange, segments)
    table = table_of(rows.schema, segments[0])
    if segments[0].key is None:
        return _on_set(rows, exchange, table, segments[1:])
    if len(segments) == 1:
        return _on_row(rows, exchange, table, segments[0].key)
    row_id = row_key(table, segments[0].key).need(rows, table)
    return _on_member(rows, exchange, table, row_id, segments[1:])


def _on_set(rows: Rows, exchange: Exchange, table: Table, rest: list[Segment]) -> Answer:
    if not rest:
        if exchange.method == "GET":
            return list_answer(rows, exchange, table)
        if exchange.method == "POST":
            return create(rows, exchange, table)
        raise errors.method_not_allowed(exchange.method)
    if rest == [Segment("$count")] and exchange.method == "GET":
        return count_answer(rows, exchange, table)
    name = rest[0].name
    if len(rest) == 1 and name.startswith(BULK_PREFIX) and exchange.method == "POST":
        return bulk(rows, exchange, table, name.removeprefix(BULK_PREFIX))
    raise errors.no_segment(name)


def _on_row(rows: Rows, exchange: Exchange, table: Table, key_text: str) -> Answer:
    if exchange.method == "GET":
        row_id = row_key(table, key_text).need(rows, table)
        if exchange.condition("if-none-match") == etag(rows.need(table, row_id)):
            return empty_answer(304)
        return row_answer(rows, exchange, table, row_id)
    if exchange.method == "PATCH":
        return patch(rows, exchange, table, key_text)
    if exchange.method == "DELETE":
        return delete(rows, exchange, table, key_text)
    raise errors.method_not_allowed(exchange.method)


def _on_member(rows: Rows, exchange: Exchange, table: Table, row_id: str, rest: list[Segment]) -> Answer:
    name = rest[0].name
    lookup = table.navigations.get(name)
    relationship = rows.schema.many_to_many(table.set_name, name)
    if relationship is not None:
        return _on_relationship(rows, exchange, table, row_id, relationship, rest)
    # A custom lookup's column has the same name as its navigation property; the latter is meant.
    if lookup is not None:
        return _on_lookup(rows, exchange, table, row_id, lookup, rest[1:])
    if name in table.attributes and len(rest) == 1:
        if exchange.method in ("PUT", "DELETE"):
            return set_column(rows, exchange, table, row_id, name)
        if exchange.method == "GET":
            value = rows.need(table, row_id).get(name)
            context = f"{exchange.api_root}$metadata#{table.set_name}({row_id})/{name}"
            return empty_answer() if value is None else json_answer(200, {"@odata.context": context, "value": value})
        raise errors.method_not_allowed(exchange.method)
    raise errors.no_segment(name)


def _on_lookup(
    rows: Rows, exchange: Exchange, table: Table, row_id: str, lookup: Lookup, rest: list[Segment]
) -> Answer:
    target = rows.schema.by_logical_name[lookup.target]
    target_id = rows.need(table, row_id).get(lookup.value_name)
    if exchange.method == "GET" and not rest:
        return empty_answer() if target_id is None else row_answer(rows, exchange, target, target_id)
    if rest != [_REF]:
        raise errors.no_segment(rest[0].name if rest else lookup.navigation)
    if exchange.method == "GET":
        if target_id is None:
            return empty_answer()
        context = f"{exchange.api_root}$metadata#$ref"
        return json_answer(
            200, {"@odata.context": context, "@odata.id": entity_url(exchange.api_root, target, target_id)}
        )
    if exchange.method == "PUT":
        target_id = _referenced(rows, exchange, target)
    elif exchange.method == "DELETE":
        target_id = None
    else:
        raise errors.method_not_allowed(exchange.method)
    exchange.caller.need("Write", table)
    exchange.caller.need("Append", table)
    exchange.caller.need("AppendTo", target)
    check_version(rows, exchange, table, row_id)
    rows.update(table, row_id, {lookup.value_name: target_id})
    return empty_answer()


def _on_relationship(
    rows: Rows, exchange: Exchange, table: Table, row_id: str, relationship: ManyToMany, rest: list[Segment]
) -> Answer:
    """Reading, adding and removing links. A link is removed by its key in the path or by `?$id=`."""
    partner = rows.schema.tables[relationship.partner(table.set_name) or ""]
    as_references = rest[1:] == [_REF]
    if rest[1:] and not as_references:
        raise errors.no_segment(rest[1].name)
    if exchange.method == "GET" and rest[0].key is None:
        ids = rows.linked(relationship, table.set_name, row_id)
        if not as_references:
            return list_answer(rows, exchange, partner, ids)
        references = [{"@odata.id": entity_url(exchange.api_root, partner, other)} for other in ids]
        context = f"{exchange.api_root}$metadata#Collection($ref)"
        return json_answer(200, {"@odata.context": context, "value": references})
    if not as_references:
        raise errors.method_not_allowed(exchange.method)
    exchange.caller.need("Append", table)
    exchange.caller.need("AppendTo", partner)
    if exchange.method == "POST" and rest[0].key is None:
        other = _referenced(rows, exchange, partner)
        rows.link(relationship, *_ends(relationship, table, row_id, other))
        return empty_answer()
    if exchange.method == "DELETE":
        other = _named_partner(rows, exchange, partner, rest[0].key)
        rows.unlink(relationship, *_ends(relationship, table, row_id, other))
        return empty_answer()
    raise errors.method_not_allowed(exchange.method)


def _referenced(rows: Rows, exchange: Exchange, target: Table) -> str:
    """The row of `target` that the body's `@odata.id` names."""
    named = exchange.json.get("@odata.id")
    if not isinstance(named, str):
        raise errors.invalid_argument("The body of a reference must have an '@odata.id'.")
    table, key = reference(rows.schema, named, exchange.created)
    if table is not target:
        raise errors.invalid_argument(f"'{table.logical}' cannot be referenced here; expected '{target.logical}'.")
    return key.need(rows, table)


def _named_partner(rows: Rows, exchange: Exchange, partner: Table, key: str | None) -> str:
    if key is not None:
        found = guid(key)
        if found is None:
            raise errors.not_a_key(partner)
        return found
    if "$id" not in exchange.options:
        raise errors.invalid_argument("A reference in a collection is removed by its key or by $id.")
    table, named = reference(rows.schema, exchange.options["$id"], exchange.created)
    if table is not partner:
        raise errors.not_a_key(partner)
    return named.need(rows, table)


def _ends(relationship: ManyToMany, table: Table, row_id: str, other: str) -> tuple[str, str]:
    return (row_id, other) if table.set_name == relationship.first else (other, row_id)
