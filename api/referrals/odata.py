"""Parse the OData options of the referral list with the grammar of `odata_query` (N4).

Unsupported expressions are refused by name, never ignored, so that a client can rely on its filter.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, NoReturn, get_args

from odata_query import ast
from odata_query.exceptions import ArgumentCountException
from odata_query.grammar import ODataLexer, ODataParser

from api.http.body import json_names
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
    OrderField,
    Predicate,
    Value,
)
from shared.domain.search_words import words_in
from shared.domain.vocabulary import (
    ContactAlert,
    DealType,
    Direction,
    Qualification,
    RegistrationStatus,
    SalesStage,
    Sharing,
    Status,
    Substatus,
)

MAX_FILTER_LENGTH = 4_096
MAX_CONDITIONS = 100
MAX_DEPTH = 20
MAX_SKIP = 1_000
MAX_DIGITS = 30

_ENUMERATIONS: dict[Field, tuple[str, ...]] = {
    "status": get_args(Status),
    "substatus": get_args(Substatus),
    "qualification": get_args(Qualification),
    "type": get_args(Sharing),
    "direction": get_args(Direction),
    "dealType": get_args(DealType),
    "salesStage": get_args(SalesStage),
    "registrationStatus": (*get_args(RegistrationStatus), "Eligible"),
    "contactAlert": get_args(ContactAlert),
}
_ALIASES = {"received": "Pending"}
"""Values that clients of the documented wire format use, and their equivalents here (C2)."""
_TIMES: frozenset[Field] = frozenset(
    {
        *("createdDateTime", "updatedDateTime", "expirationDateTime"),
        *("details/closingDateTime", "closedDateTime"),
    }
)
_NUMBERS: frozenset[Field] = frozenset({"details/dealValue"})
_IDS: frozenset[Field] = frozenset({"id", "engagementId"})
"""GUIDs: stored in lower case, compared case-insensitively."""
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
_STARTSWITH_CALLS = " or ".join(
    f"{op}({field},'…')" for field, ops in OPERATORS.items() for op in ops if op == "startswith"
)
_STARTSWITH_USAGE = f"$filter supports startswith with a field and a text: {_STARTSWITH_CALLS}."
_ORDER_FIELDS: dict[str, OrderField] = {field.lower(): field for field in get_args(OrderField)}
MAX_SEARCH_LENGTH, MAX_SEARCH_WORDS = 255, 10
_EXAMPLE = "status eq 'New' and not (favorite eq true)"
_MIRRORED: dict[Operator, Operator] = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def filter_of(text: str | None) -> Predicate | None:
    """The condition of `$filter`; None if it is absent. Raises `BadQuery`."""
    if text is None:
        return None
    if len(text) > MAX_FILTER_LENGTH:
        _refuse(f"$filter may have {MAX_FILTER_LENGTH:,} characters; this one has {len(text):,}.")
    if _has_control_characters(text.replace("\t", " ")):  # to the grammar, a tab is white space
        _refuse("$filter has control characters: remove them.")
    predicate = _Translator().predicate(_parse(text.strip()), MAX_DEPTH)
    if (count := _conditions(predicate)) > MAX_CONDITIONS:
        _refuse(f"$filter may have {MAX_CONDITIONS} conditions; this one has {count}.")
    return predicate


def order_of(text: str | None) -> Order:
    """The order of `$orderby`; newest first if it is absent. Raises `BadQuery`."""
    if text is None:
        return Order()
    name, *direction = text.lower().split()[:3] or [""]
    field = _ORDER_FIELDS.get(name)
    if field is None or direction not in ([], ["asc"], ["desc"]):
        supported = ", ".join(_ORDER_FIELDS.values())
        _refuse(f"$orderby supports one of {supported}, followed by asc or desc.")
    return Order(field=field, descending=direction == ["desc"])


def search_of(text: str | None) -> tuple[str, ...]:
    """The folded words of `$search`; empty if it is absent. Raises `BadQuery`."""
    if text is None:
        return ()
    words = words_in(text)
    if not words or len(words) > MAX_SEARCH_WORDS or len(text) > MAX_SEARCH_LENGTH:
        _refuse(
            f"$search takes 1 to {MAX_SEARCH_WORDS} words of letters and digits, in at most {MAX_SEARCH_LENGTH} "
            "characters."
        )
    return words


def select_of(text: str | None) -> frozenset[str] | None:
    """The JSON names of the fields in `$select`; None if it is absent. Raises `BadQuery`."""
    if text is None or text.strip() == "*":
        return None
    known = {name.lower(): name for name in json_names(ReferralView)}
    names = [name.strip().partition("/")[0] for name in text.split(",")]
    unknown = [name for name in names if name.lower() not in known]
    if unknown:
        supported = ", ".join(sorted(known.values()))
        _refuse(f"$select does not support the field {unknown[0][:100]!r}; it supports {supported}.")
    return frozenset(known[name.lower()] for name in names)


def count_of(text: str | None) -> bool:
    """Whether the response has the number of all items. Raises `BadQuery`."""
    if text is not None and text.lower() not in {"true", "false"}:
        _refuse("$count is true or false.")
    return (text or "").lower() == "true"


def skip_of(text: str | None) -> int:
    """The number of items to skip. Raises `BadQuery`."""
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal()):
        _refuse("$skip is a whole number.")
    if len(text) > 9 or int(text) > MAX_SKIP:
        _refuse(f"$skip is at most {MAX_SKIP:,}; to go further, follow the nextLink.")
    return int(text)


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def _parse(text: str) -> Any:
    """The syntax tree of a filter without surrounding white space. Raises `BadQuery`."""
    tokens = _guarded(text, lambda: list(ODataLexer().tokenize(text)))
    prepared = _mark_lists(_normalize_calls(list(_join_paths(_checked(tokens)))))
    return _guarded(text, lambda: ODataParser().parse(iter(prepared)))


def _guarded(text: str, parse: Callable[[], Any]) -> Any:
    """The library's result. Raises `BadQuery` for whatever the library raises."""
    try:
        return parse()
    except ArgumentCountException as miscounted:
        raise BadQuery(_STARTSWITH_USAGE) from miscounted
    except Exception as malformed:  # some texts hit defects of the library, which raise errors of any type
        raise BadQuery(_syntax_error(text, getattr(malformed, "token", None))) from malformed


def _syntax_error(text: str, token: Any) -> str:
    """The error message; `token` is where parsing failed, None if that is unknown or the end of the text."""
    place = "" if token is None else f" from {text[token.index :].strip()[:40]!r} on"
    return f"$filter cannot be read{place}: write conditions such as {_EXAMPLE}."


def _checked(tokens: Iterable[Any]) -> Iterator[Any]:
    """The tokens. Raises `BadQuery` for names with a namespace and for control characters."""
    for token in tokens:
        if token.type == "ODATA_IDENTIFIER" and token.value.namespace:
            name = token.value.full_name()[:100]
            _refuse(f"$filter does not support the name {name!r}: write names without a dot.")
        if token.type == "STRING" and _has_control_characters(token.value.val):
            _refuse("$filter has control characters in a text: remove them.")
        yield token


def _join_paths(tokens: Iterable[Any]) -> Iterator[Any]:
    """Join each path of names into one name: before a lambda, the parser accepts no longer path."""
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


def _normalize_calls(tokens: list[Any]) -> list[Any]:
    """Write `startswith` and `not` before a parenthesis in lower case, the only form that the grammar accepts.

    Raises `BadQuery` for other functions.
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
            _refuse(f"$filter does not support the function {name[:100]!r}; it supports {_STARTSWITH_CALLS}.")
    return tokens


def _mark_lists(tokens: list[Any]) -> list[Any]:
    """Add a comma to each list of one value; without it the grammar takes the list for a value in parentheses."""
    marked: list[Any] = []
    single: list[bool] = []  # for each open parenthesis, whether it begins a list without a comma so far
    for token in tokens:
        if token.type == "(":
            single.append(bool(marked) and marked[-1].type == "IN")
        elif token.type == "," and single:
            single[-1] = False
        elif token.type == ")" and single and single.pop():
            comma = copy(token)
            comma.type = comma.value = ","
            marked.append(comma)
        marked.append(token)
    return marked


class _Translator:
    """Translates the syntax tree into a predicate of the domain, and refuses unsupported nodes by name."""

    def predicate(self, node: Any, depth: int, lambda_: tuple[str, str] | None = None) -> Predicate:
        """Translate a condition. Inside `any`, `lambda_` has the names of the item and of its collection."""
        if depth == 0:
            _refuse(f"$filter may be nested at most {MAX_DEPTH} levels deep.")
        match node:
            case ast.BoolOp() if lambda_ is None:
                return self._chain(node, depth)
            case ast.UnaryOp(op=ast.Not(), operand=operand) if lambda_ is None:
                return Not(self.predicate(operand, depth - 1))
            case ast.Compare():
                return self._comparison(node, lambda_)
            case ast.Call(args=arguments) if lambda_ is None:
                return self._startswith(arguments)
            case ast.CollectionLambda() if lambda_ is None:
                return self._any(node, depth)
            case _ if lambda_ is not None:
                raise BadQuery(
                    "$filter supports one comparison inside a lambda: combine whole lambdas instead."
                )
            case _:
                raise BadQuery(
                    f"$filter does not support {_describe(node)} here: write conditions such as {_EXAMPLE}."
                )

    def _chain(self, node: Any, depth: int) -> Predicate:
        """Flatten a chain of `and`, or of `or`: chains may be longer than `MAX_DEPTH`."""
        kind = type(node.op)
        parts: list[Predicate] = []
        while isinstance(node, ast.BoolOp) and type(node.op) is kind:
            parts.append(self.predicate(node.right, depth - 1))
            node = node.left
        parts.append(self.predicate(node, depth - 1))
        conditions = tuple(reversed(parts))
        return AllOf(conditions) if kind is ast.And else AnyOf(conditions)

    def _comparison(self, node: Any, lambda_: tuple[str, str] | None) -> Condition:
        operator = _COMPARATORS[type(node.comparator)]
        left, right = node.left, node.right
        if not isinstance(left, ast.Identifier):
            left, right, operator = right, left, _MIRRORED.get(operator, operator)
        if unsupported := next((each for each in (left, right) if type(each) in _NODES), None):
            _refuse(
                f"$filter does not support {_describe(unsupported)} in a comparison: compare a field with a value."
            )
        if not isinstance(left, ast.Identifier) or isinstance(right, ast.Identifier):
            _refuse("$filter compares one field with one value.")
        field = _field(left.name, lambda_)
        _require_operator(field, operator)
        values = right.val if isinstance(right, ast.List) else [right]
        if isinstance(right, ast.List) != (operator == "in"):
            _refuse("$filter needs a list in parentheses after in, and supports lists nowhere else.")
        return Condition(field, operator, tuple(_value(field, operator, each) for each in values))

    def _startswith(self, arguments: list[Any]) -> Condition:
        match arguments:
            case [ast.Identifier(name=path), start]:
                field = _field(path, None)
                _require_operator(field, "startswith")
            case _:
                raise BadQuery(_STARTSWITH_USAGE)
        if not isinstance(start, ast.String):
            _refuse(f"$filter compares the start of {field} with text in single quotes: {_STARTSWITH_CALLS}.")
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
        _refuse(f"$filter does not support the field {path[:100]!r}; it supports {known}.")
    item, owner = lambda_
    start, _, rest = path.partition("/")
    field = _LAMBDAS.get(f"{owner}/{rest}".lower())
    if start != item or field is None:
        supported = "team/any(t:t/email eq '…') and details/requirements/solutions/any(s:s/id eq '…')"
        _refuse(f"$filter supports only the lambdas {supported}.")
    return field


def _require_operator(field: Field, operator: Operator) -> None:
    if operator not in OPERATORS[field]:
        _refuse(f"$filter supports {', '.join(OPERATORS[field])} with {field}, not {operator}.")


def _value(field: Field, operator: Operator, node: Any) -> Value:
    if isinstance(node, ast.Null):
        if field not in OPTIONAL or operator not in {"eq", "ne"}:
            _refuse(f"$filter does not compare {field} with null.")
        return None
    if field in _TIMES:
        return _time(field, node)
    if field in _NUMBERS:
        return _number(field, node)
    if field in {"favorite", "myTeam"}:
        return _boolean(field, node)
    if not isinstance(node, ast.String | ast.GUID):
        _refuse(f"$filter compares {field} with text in single quotes.")
    return _text(field, node.val)


def _text(field: Field, text: str) -> str:
    codes = _ENUMERATIONS.get(field)
    if codes is None:
        return text.lower() if field in _IDS else text
    name = _ALIASES.get(text.lower(), text).lower()
    found = next((code for code in codes if code.lower() == name), None)
    if found is None:
        _refuse(f"$filter: there is no {field} {text[:100]!r}; use one of {', '.join(codes)}.")
    return found


def _boolean(field: Field, node: Any) -> bool:
    if not isinstance(node, ast.Boolean):
        _refuse(f"$filter compares {field} with true or false.")
    return str(node.val).lower() == "true"


def _number(field: Field, node: Any) -> Decimal:
    if not isinstance(node, ast.Integer | ast.Float):
        _refuse(f"$filter compares {field} with a number such as 1000.50, without quotes.")
    number = Decimal(node.val)
    if number.adjusted() > MAX_DIGITS:
        _refuse(f"$filter: {field} is compared with numbers of at most {MAX_DIGITS} digits.")
    return number


def _time(field: Field, node: Any) -> datetime:
    if not isinstance(node, ast.DateTime | ast.Date):
        _refuse(f"$filter compares {field} with a time such as 2027-01-31T00:00:00Z, without quotes.")
    try:
        at = datetime.fromisoformat(node.val.upper())
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as impossible:
        raise BadQuery(f"$filter: {node.val} does not exist in the calendar.") from impossible


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


def _describe(node: Any) -> str:
    """What an unsupported node is called in an error message."""
    if isinstance(node, ast.Identifier):
        return f"the field {node.name[:100]!r} alone"
    return _NODES.get(type(node), "a value alone")


def _refuse(message: str) -> NoReturn:
    raise BadQuery(message)
