"""The size of a transaction on the wire, where text is ASCII JSON: 서 takes six bytes, a quote in our JSON two."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from shared.storage.tables import Discard, Operation, Value

MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
"""The limit of storage for one transaction."""
_FRAME = 1024  # headers and boundaries of one operation, besides its keys


def wire_size(partition: str, operations: Sequence[Operation]) -> int:
    """An upper bound of the bytes of a transaction as the client sends it."""
    sizes: dict[int, int] = {}  # by id: list rows share their values
    return sum(_size(partition, operation, sizes) for operation in operations)


def _size(partition: str, operation: Operation, sizes: dict[int, int]) -> int:
    if isinstance(operation, Discard):
        return _FRAME + _size_of_keys(partition, operation.key)
    values = operation.row.values
    if id(values) not in sizes:
        sizes[id(values)] = _size_of_values(values)
    return _FRAME + _size_of_keys(partition, operation.row.key) + sizes[id(values)]


def _size_of_keys(partition: str, key: str) -> int:
    """Both keys are in the URL and in the entity."""
    return sum(
        len(quote(text.replace("'", "''"), safe="")) + len(json.dumps(text)) for text in (partition, key)
    )


def _size_of_values(values: Mapping[str, Value]) -> int:
    return len(json.dumps(dict(values)))
