"""The OData options of the referral list: the grammar is `odata_query`'s, what its tree may hold is ours (N4).

Everything that this service does not support is refused by its name, so that a client never mistakes a list for a
filtered one.
"""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn, get_args

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from api.problems import BadQuery
from api.referral_view import ReferralView
from shared.domain.listing import (
    OPERATORS,
    OPTIONAL,
    SEVERAL,
    AllOf,
    AnyOf,
    Condition,
    Field,
    Not,
    Operator,
    Predicate,
    Value,
)
from shared.domain.vocabulary import DealType, Direction, Qualification, Sharing, Status, Substatus

LONGEST_FILTER = 4_096
MOST_CONDITIONS = 100
DEEPEST = 20
MOST_SKIPPED = 1_000

_ENUMERATIONS: dict[Field, tuple[str, ...]] = {
    "status": get_args(Status),
    "substatus": get_args(Substatus),
    "qualification": get_args(Qualification),
    "type": get_args(Sharing),
    "direction": get_args(Direction),
    "dealType": (*get_args(DealType), "Lead"),  # a tab is asked for by what it leaves out (N1)
}
_SPELLED_ELSEWHERE = {"received": "Pending"}
"""Values that clients of the wire format know, and what they mean here (C2)."""
_TIMES: frozenset[Field] = frozenset({"createdDateTime", "updatedDateTime", "expirationDateTime"})
_LAMBDAS: dict[str, Field] = {field.lower(): field for field in OPERATORS if field in SEVERAL}
_FIELDS: dict[str, Field] = {field.lower(): field for field in OPERATORS if field not in SEVERAL}
_COMPARATORS: dict[type, Operator] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.In: "in",
}
_STARTS = " or ".join(
    f"{op}({field},'…')" for field, ops in OPERATORS.items() for op in ops if op == "startswith"
)
_MIRRORED: dict[Operator, Operator] = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list."""

    field: Literal["createdDateTime", "updatedDateTime"] = "createdDateTime"
    descending: bool = True


def filter_of(text: str | None) -> Predicate | None:
    """What `$filter` asks; None if it is absent. Raises `BadQuery`."""
    if text is None:
        return None
    if len(text) > LONGEST_FILTER:
        _refuse(f"$filter may have {LONGEST_FILTER:,} characters; this one has {len(text):,}.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        _refuse("$filter holds control characters.")
    tree = _parsed(text)
    predicate = _Reader().predicate(tree, DEEPEST)
    if (count := _conditions(predicate)) > MOST_CONDITIONS:
        _refuse(f"$filter may have {MOST_CONDITIONS} conditions; this one has {count}.")
    return predicate


def order_of(text: str | None) -> Order:
    """What `$orderby` asks; newest first if it is absent. Raises `BadQuery`."""
    if text is None:
        return Order()
    name, *direction = text.split()[:3] or [""]
    fields: dict[str, Literal["createdDateTime", "updatedDateTime"]] = {
        "createddatetime": "createdDateTime",
        "updateddatetime": "updatedDateTime",
    }
    field = fields.get(name.lower())
    if field is None or direction not in ([], ["asc"], ["desc"]):
        _refuse("$orderby supports createdDateTime or updatedDateTime, followed by asc or desc.")
    return Order(field=field, descending=direction == ["desc"])


def select_of(text: str | None) -> frozenset[str] | None:
    """The fields that `$select` asks for, in their own spelling; None if it is absent. Raises `BadQuery`."""
    if text is None or text.strip() == "*":
        return None
    known = {
        (info.alias or name).lower(): info.alias or name for name, info in ReferralView.model_fields.items()
    }
    wanted = [name.strip().partition("/")[0] for name in text.split(",")]
    unknown = [name for name in wanted if name.lower() not in known]
    if unknown:
        _refuse(f"$select knows no field {unknown[0][:100]!r}; it knows {', '.join(sorted(known.values()))}.")
    return frozenset(known[name.lower()] for name in wanted)


def count_of(text: str | None) -> bool:
    """Whether `$count` asks for the number of all items. Raises `BadQuery`."""
    if text is not None and text.lower() not in {"true", "false"}:
        _refuse("$count is true or false.")
    return (text or "").lower() == "true"


def skip_of(text: str | None) -> int:
    """How many items `$skip` leaves out. Raises `BadQuery`."""
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal()):
        _refuse("$skip is a whole number.")
    if len(text) > 9 or int(text) > MOST_SKIPPED:
        _refuse(f"$skip goes to {MOST_SKIPPED:,}; to go further follow the nextLink.")
    return int(text)


def _parsed(text: str) -> Any:
    try:
        return ODataParser().parse(_with_whole_paths(ODataLexer().tokenize(text)))
    except (ODataException, ValueError) as malformed:
        raise BadQuery(f"$filter cannot be read: {str(malformed)[:200]}.") from malformed


def _with_whole_paths(tokens: Iterator[Any]) -> Iterator[Any]:
    """The tokens, each path of names as one name: the parser takes no longer path before a lambda."""
    held: list[Any] = []
    for token in tokens:
        if held and token.type == "/" and len(held) == 1:
            held.append(token)
        elif len(held) == 2 and token.type == "ODATA_IDENTIFIER":
            name = f"{held[0].value.name}/{token.value.name}"
            held[0].value = ast.Identifier(name)
            del held[1:]
        else:
            yield from held
            held = [token] if token.type == "ODATA_IDENTIFIER" else []
            if not held:
                yield token
    yield from held


class _Reader:
    """Reads the grammar's tree as a predicate, and refuses by name what has no place in it."""

    def predicate(self, node: Any, depth: int, lambda_: tuple[str, str] | None = None) -> Predicate:
        """A node that is true or false. `lambda_` is the name of the item and its collection, inside of `any`."""
        if depth == 0:
            _refuse(f"$filter may be nested {DEEPEST} deep.")
        match node:
            case ast.BoolOp() if lambda_ is None:
                return self._both(node, depth)
            case ast.UnaryOp(op=ast.Not(), operand=operand) if lambda_ is None:
                return Not(self.predicate(operand, depth - 1))
            case ast.Compare():
                return self._comparison(node, lambda_)
            case ast.Call(func=ast.Identifier(name=name), args=arguments) if lambda_ is None:
                return self._call(name, arguments)
            case ast.CollectionLambda() if lambda_ is None:
                return self._any(node, depth)
            case _ if lambda_ is not None:
                raise BadQuery(
                    "$filter supports one comparison inside a lambda: combine whole lambdas instead."
                )
            case _:
                raise BadQuery(f"$filter does not support {_named(node)} here.")

    def _both(self, node: Any, depth: int) -> Predicate:
        """A chain of and, or of or, becomes one list: chains are long, nesting is not."""
        kind = type(node.op)
        parts: list[Predicate] = []
        while isinstance(node, ast.BoolOp) and type(node.op) is kind:
            parts.append(self.predicate(node.right, depth - 1))
            node = node.left
        parts.append(self.predicate(node, depth - 1))
        whole = tuple(reversed(parts))
        return AllOf(whole) if kind is ast.And else AnyOf(whole)

    def _comparison(self, node: Any, lambda_: tuple[str, str] | None) -> Condition:
        operator = _COMPARATORS[type(node.comparator)]
        left, right = node.left, node.right
        if not isinstance(left, ast.Identifier):
            left, right, operator = right, left, _MIRRORED.get(operator, operator)
        if unsupported := next((each for each in (left, right) if type(each) in _NODES), None):
            _refuse(f"$filter does not support {_named(unsupported)} in a comparison.")
        if not isinstance(left, ast.Identifier) or isinstance(right, ast.Identifier):
            _refuse("$filter compares one field with one value.")
        field = _field(left.name, lambda_)
        _require_operator(field, operator)
        values = right.val if isinstance(right, ast.List) else [right]
        if isinstance(right, ast.List) != (operator == "in"):
            _refuse("$filter uses lists with in alone, and in with lists alone.")
        return Condition(field, operator, tuple(_value(field, operator, each) for each in values))

    def _call(self, name: str, arguments: list[Any]) -> Condition:
        if name != "startswith":
            _refuse(f"$filter does not support the function {name}; it knows startswith.")
        match arguments:
            case [ast.Identifier(name=path), start]:
                field = _field(path, None)
                _require_operator(field, "startswith")
            case _:
                raise BadQuery(f"$filter takes {name} with a field and a text: {_STARTS}.")
        if not isinstance(start, ast.String):
            _refuse(f"$filter compares the start of {field} with text in single quotes: {_STARTS}.")
        return Condition(field, "startswith", (start.val,))

    def _any(self, node: Any, depth: int) -> Predicate:
        owner = node.owner.name if isinstance(node.owner, ast.Identifier) else ""
        if not isinstance(node.operator, ast.Any) or node.lambda_ is None:
            _refuse("$filter supports any(…) with a condition, not all(…).")
        item = node.lambda_.identifier.name
        return self.predicate(node.lambda_.expression, depth - 1, (item, owner))


def _field(path: str, lambda_: tuple[str, str] | None) -> Field:
    if lambda_ is None:
        if found := _FIELDS.get(path.lower()):
            return found
        known = ", ".join(sorted([*_FIELDS.values(), "team/any(t:t/email …)"]))
        _refuse(f"$filter does not support the field {path[:100]!r}; it knows {known}.")
    item, owner = lambda_
    start, _, rest = path.partition("/")
    whole = f"{owner}/{rest}".lower()
    found_in = _LAMBDAS.get(whole)
    if start != item or found_in is None:
        message = "team/any(t:t/email eq '…') and details/requirements/solutions/any(s:s/id eq '…')"
        _refuse(f"$filter supports of its lambdas {message}.")
    return found_in


def _require_operator(field: Field, operator: Operator) -> None:
    if operator not in OPERATORS[field]:
        _refuse(f"$filter compares {field} with {', '.join(OPERATORS[field])}; not with {operator}.")


def _value(field: Field, operator: Operator, node: Any) -> Value:
    if isinstance(node, ast.Null):
        if field not in OPTIONAL or operator not in {"eq", "ne"}:
            _refuse(f"$filter does not compare {field} with null.")
        return None
    if field in _TIMES:
        return _moment(field, node)
    if field == "favorite":
        return _flag(node)
    if not isinstance(node, ast.String | ast.GUID):
        _refuse(f"$filter compares {field} with text in single quotes.")
    return _known(field, node.val)


def _known(field: Field, text: str) -> str:
    codes = _ENUMERATIONS.get(field)
    if codes is None:
        return text
    wanted = _SPELLED_ELSEWHERE.get(text.lower(), text)
    found = next((code for code in codes if code.lower() == wanted.lower()), None)
    if found is None:
        _refuse(f"$filter knows no {field} {text[:100]!r}; it knows {', '.join(codes)}.")
    return found


def _flag(node: Any) -> bool:
    if not isinstance(node, ast.Boolean):
        _refuse("$filter compares favorite with true or false.")
    return str(node.val).lower() == "true"


def _moment(field: Field, node: Any) -> datetime:
    if not isinstance(node, ast.DateTime | ast.Date):
        _refuse(f"$filter compares {field} with a time such as 2027-01-31T00:00:00Z, without quotes.")
    try:
        at = datetime.fromisoformat(node.val)
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as impossible:
        raise BadQuery(f"$filter: {node.val} is no time of the calendar.") from impossible


def _conditions(predicate: Predicate) -> int:
    match predicate:
        case Condition(values=values):
            return len(values)
        case Not(part):
            return _conditions(part)
        case AllOf(parts) | AnyOf(parts):
            return sum(_conditions(part) for part in parts)


_NODES: dict[type, Callable[[Any], str]] = {
    ast.BinOp: lambda _: "arithmetic",
    ast.BoolOp: lambda node: f"'{type(node.op).__name__.lower()}' inside a lambda",
    ast.Call: lambda node: f"the function {node.func.name}",
    ast.Compare: lambda _: "a comparison",
    ast.UnaryOp: lambda _: "an operator before a value",
}


def _named(node: Any) -> str:
    return _NODES.get(type(node), lambda each: f"a {type(each).__name__} alone")(node)


def _refuse(message: str) -> NoReturn:
    raise BadQuery(message)
