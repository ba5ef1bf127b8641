"""The OData options of the referral list: the grammar is `odata_query`'s, what its tree may hold is ours (N4).

Everything that this service does not support is refused by its name, so that a client never mistakes a list for a
filtered one.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal, NoReturn, get_args

from odata_query import ast
from odata_query.exceptions import ArgumentCountException
from odata_query.grammar import ODataLexer, ODataParser

from api.http.problems import BadQuery
from api.referrals.schemas import ReferralView
from shared.domain.listing import (
    MULTI_VALUED,
    OPERATORS,
    OPTIONAL,
    AllOf,
    AnyOf,
    Condition,
    Field,
    Not,
    Operator,
    Order,
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
    "dealType": get_args(DealType),
}
_SPELLED_ELSEWHERE = {"received": "Pending"}
"""Values that clients of the wire format know, and what they mean here (C2)."""
_TIMES: frozenset[Field] = frozenset({"createdDateTime", "updatedDateTime", "expirationDateTime"})
_IDS: frozenset[Field] = frozenset({"id", "engagementId"})
"""GUIDs, which are kept in lower case and may be asked for in any."""
_LAMBDAS: dict[str, Field] = {field.lower(): field for field in OPERATORS if field in MULTI_VALUED}
_FIELDS: dict[str, Field] = {field.lower(): field for field in OPERATORS if field not in MULTI_VALUED}
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
_CALLED = f"$filter takes startswith with a field and a text: {_STARTS}."
_EXAMPLE = "status eq 'New' and not (favorite eq true)"
_MIRRORED: dict[Operator, Operator] = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def filter_of(text: str | None) -> Predicate | None:
    """What `$filter` asks; None if it is absent. Raises `BadQuery`."""
    if text is None:
        return None
    if len(text) > LONGEST_FILTER:
        _refuse(f"$filter may have {LONGEST_FILTER:,} characters; this one has {len(text):,}.")
    if _has_controls(text.replace("\t", " ")):  # a tab is a blank of the grammar
        _refuse("$filter holds control characters: leave them out.")
    predicate = _Reader().predicate(_parsed(text.strip()), DEEPEST)
    if (count := _conditions(predicate)) > MOST_CONDITIONS:
        _refuse(f"$filter may have {MOST_CONDITIONS} conditions; this one has {count}.")
    return predicate


def order_of(text: str | None) -> Order:
    """What `$orderby` asks; newest first if it is absent. Raises `BadQuery`."""
    if text is None:
        return Order()
    name, *direction = text.lower().split()[:3] or [""]
    fields: dict[str, Literal["createdDateTime", "updatedDateTime"]] = {
        "createddatetime": "createdDateTime",
        "updateddatetime": "updatedDateTime",
    }
    field = fields.get(name)
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


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def _parsed(text: str) -> Any:
    """The grammar's tree of a filter without blanks around it. Raises `BadQuery`."""
    tokens = _asked(text, lambda: list(ODataLexer().tokenize(text)))
    shaped = _with_lists(_with_calls(list(_with_whole_paths(_plain(tokens)))))
    return _asked(text, lambda: ODataParser().parse(iter(shaped)))


def _asked(text: str, read: Callable[[], Any]) -> Any:
    """What the library reads. Raises `BadQuery` whatever the library raises."""
    try:
        return read()
    except ArgumentCountException as miscounted:
        raise BadQuery(_CALLED) from miscounted
    except Exception as malformed:  # on some texts the library fails by its own defects, of any type
        raise BadQuery(_unreadable(text, getattr(malformed, "token", None))) from malformed


def _unreadable(text: str, token: Any) -> str:
    """A sentence on what cannot be read: from a token on, or None where that is not known or is the end."""
    place = "" if token is None else f" from {text[token.index :].strip()[:40]!r} on"
    return f"$filter cannot be read{place}: write conditions such as {_EXAMPLE}."


def _plain(tokens: Iterable[Any]) -> Iterator[Any]:
    """The tokens, none with a namespace, which this service has not. Raises `BadQuery`."""
    for token in tokens:
        if token.type == "ODATA_IDENTIFIER" and token.value.namespace:
            name = token.value.full_name()[:100]
            _refuse(f"$filter does not support the name {name!r}: write names without a dot.")
        if token.type == "STRING" and _has_controls(token.value.val):
            _refuse("$filter holds control characters in a text: leave them out.")
        yield token


def _with_whole_paths(tokens: Iterable[Any]) -> Iterator[Any]:
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


def _with_calls(tokens: list[Any]) -> list[Any]:
    """The tokens, functions and `not` before a parenthesis in the one case that the grammar knows them in.

    Raises `BadQuery` for other functions than ours.
    """
    for token, following in pairwise(tokens):
        if token.type != "ODATA_IDENTIFIER" or following.type != "(":
            continue
        name = token.value.name
        if name.lower() == "not":
            token.type, token.value = "NOT", ast.Not()
        elif name.lower() == "startswith":
            token.value = ast.Identifier("startswith")
        else:
            _refuse(f"$filter does not support the function {name[:100]!r}; it knows {_STARTS}.")
    return tokens


def _with_lists(tokens: list[Any]) -> list[Any]:
    """The tokens, a comma added to each list of one value.

    By that comma alone the grammar tells such a list from a value in parentheses.
    """
    shaped: list[Any] = []
    alone: list[bool] = []  # of each open parenthesis, whether it begins a list in which no comma was met
    for token in tokens:
        if token.type == "(":
            alone.append(bool(shaped) and shaped[-1].type == "IN")
        elif token.type == "," and alone:
            alone[-1] = False
        elif token.type == ")" and alone and alone.pop():
            comma = copy(token)
            comma.type = comma.value = ","
            shaped.append(comma)
        shaped.append(token)
    return shaped


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
            case ast.Call(args=arguments) if lambda_ is None:
                return self._starts(arguments)
            case ast.CollectionLambda() if lambda_ is None:
                return self._any(node, depth)
            case _ if lambda_ is not None:
                raise BadQuery(
                    "$filter supports one comparison inside a lambda: combine whole lambdas instead."
                )
            case _:
                raise BadQuery(
                    f"$filter does not support {_named(node)} here: write conditions such as {_EXAMPLE}."
                )

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
            _refuse(
                f"$filter does not support {_named(unsupported)} in a comparison: compare one field with one value."
            )
        if not isinstance(left, ast.Identifier) or isinstance(right, ast.Identifier):
            _refuse("$filter compares one field with one value.")
        field = _field(left.name, lambda_)
        _require_operator(field, operator)
        values = right.val if isinstance(right, ast.List) else [right]
        if isinstance(right, ast.List) != (operator == "in"):
            _refuse("$filter uses lists with in alone, and in with lists alone.")
        return Condition(field, operator, tuple(_value(field, operator, each) for each in values))

    def _starts(self, arguments: list[Any]) -> Condition:
        match arguments:
            case [ast.Identifier(name=path), start]:
                field = _field(path, None)
                _require_operator(field, "startswith")
            case _:
                raise BadQuery(_CALLED)
        if not isinstance(start, ast.String):
            _refuse(f"$filter compares the start of {field} with text in single quotes: {_STARTS}.")
        return Condition(field, "startswith", (start.val,))

    def _any(self, node: Any, depth: int) -> Predicate:
        owner = node.owner.name if isinstance(node.owner, ast.Identifier) else ""
        if not isinstance(node.operator, ast.Any) or node.lambda_ is None:
            _refuse("$filter supports any(…) with a condition, not all(…).")
        item = node.lambda_.identifier.name
        return self.predicate(node.lambda_.expression, depth, (item, owner))  # which nests nothing further


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
    if field in {"favorite", "myTeam"}:
        return _flag(field, node)
    if not isinstance(node, ast.String | ast.GUID):
        _refuse(f"$filter compares {field} with text in single quotes.")
    return _known(field, node.val)


def _known(field: Field, text: str) -> str:
    codes = _ENUMERATIONS.get(field)
    if codes is None:
        return text.lower() if field in _IDS else text
    wanted = _SPELLED_ELSEWHERE.get(text.lower(), text)
    found = next((code for code in codes if code.lower() == wanted.lower()), None)
    if found is None:
        _refuse(f"$filter knows no {field} {text[:100]!r}; it knows {', '.join(codes)}.")
    return found


def _flag(field: Field, node: Any) -> bool:
    if not isinstance(node, ast.Boolean):
        _refuse(f"$filter compares {field} with true or false.")
    return str(node.val).lower() == "true"


def _moment(field: Field, node: Any) -> datetime:
    if not isinstance(node, ast.DateTime | ast.Date):
        _refuse(f"$filter compares {field} with a time such as 2027-01-31T00:00:00Z, without quotes.")
    try:
        at = datetime.fromisoformat(node.val.upper())
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


_NODES: dict[type, str] = {
    ast.BinOp: "arithmetic",
    ast.BoolOp: "a condition",
    ast.Call: "the function startswith",
    ast.CollectionLambda: "a lambda",
    ast.Compare: "a comparison",
    ast.UnaryOp: "an operator before a value (write not (…) around a condition)",
}


def _named(node: Any) -> str:
    """What a node that has no place is to a reader."""
    if isinstance(node, ast.Identifier):
        return f"the field {node.name[:100]!r} alone"
    return _NODES.get(type(node), "a value alone")


def _refuse(message: str) -> NoReturn:
    raise BadQuery(message)
