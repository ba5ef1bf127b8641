"""How large a transaction is on the wire. Text is ASCII JSON there: 서 takes six bytes, a quote of our JSON two."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from shared.storage.tables import Discard, Operation, Value

MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
"""What storage takes in one transaction."""
_FRAME = 1024  # headers and boundaries of one operation, besides its keys


def wire_size(partition: str, operations: Sequence[Operation]) -> int:
    """Bytes of a transaction as the client library writes it, or somewhat more; never less."""
    known: dict[int, int] = {}  # list rows share their values
    return sum(_size(partition, operation, known) for operation in operations)


def _size(partition: str, operation: Operation, known: dict[int, int]) -> int:
    if isinstance(operation, Discard):
        return _FRAME + _size_of_keys(partition, operation.key)
    values = operation.row.values
    if id(values) not in known:
        known[id(values)] = _size_of_values(values)
    return _FRAME + _size_of_keys(partition, operation.row.key) + known[id(values)]


def _size_of_keys(partition: str, key: str) -> int:
    """Both stand in the address and in the entity."""
    return sum(
        len(quote(text.replace("'", "''"), safe="")) + len(json.dumps(text)) for text in (partition, key)
    )


def _size_of_values(values: Mapping[str, Value]) -> int:
    return len(json.dumps(dict(values)))
