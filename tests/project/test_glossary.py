"""The words of the documents are names in the code: the terms of docs/glossary.md, the operations of docs/api.md."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from pydantic.alias_generators import to_camel

from api import operations

PROJECT = Path(__file__).parents[2]
PRODUCT = ("api", "shared", "activities", "orchestrators", "devhost", "localcloud")
GLOSSARY = (PROJECT / "docs/glossary.md").read_text(encoding="utf-8")
API = (PROJECT / "docs/api.md").read_text(encoding="utf-8")
REFERRALS = "/v1.0/engagements/referrals"


def normalized(name: str) -> str:
    """A term and its spellings as module, class, function and field are the same."""
    return re.sub(r"[\s_]", "", name).casefold()


def rows(text: str, header: str) -> list[list[str]]:
    """The cells of every table with this header."""
    cells: list[list[str]] = []
    for part in text.split(f"| {header} |\n|")[1:]:
        lines = part.partition("\n\n")[0].splitlines()[1:]
        cells += [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert cells
    return cells


TERMS = [
    (term, where.strip("` "))
    for terms, _, where in rows(GLOSSARY, "term | meaning | defined in")
    for term in terms.split(" · ")
]


def member_names(path: Path) -> Iterator[str]:
    """The names that a module defines: its own, those of its classes and functions, of its types and of fields."""
    yield path.parent.name if path.name == "__init__.py" else path.stem
    module = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from _assigned(node.body)


def _assigned(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (
                    node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
                )


@cache
def defined_in(path: str) -> frozenset[str]:
    """The names that a module of the product defines; of one that does not exist, none."""
    module = PROJECT / path
    return frozenset(normalized(name) for name in member_names(module)) if module.is_file() else frozenset()


def is_defined(term: str, where: str) -> bool:
    return normalized(term) in defined_in(where)


@pytest.mark.parametrize(("term", "where"), TERMS, ids=[term for term, _ in TERMS])
def test_each_term_of_the_glossary_is_a_name_in_the_file_beside_it(term: str, where: str) -> None:
    assert where.partition("/")[0] in PRODUCT
    assert is_defined(term, where), f"{where} defines nothing named {term}."


@pytest.mark.parametrize("term", ["errand", "Referral lock", "referral keys"])
def test_an_invented_term_is_not_found(term: str) -> None:
    paths = [path.relative_to(PROJECT) for top in PRODUCT for path in (PROJECT / top).rglob("*.py")]
    assert not [path for path in paths if is_defined(term, path.as_posix())]


def test_no_term_is_explained_twice() -> None:
    terms = [normalized(term) for term, _ in TERMS]
    assert sorted(terms) == sorted(set(terms))


def module_of(handler: str) -> str:
    """The file that defines a handler."""
    defining = [name for name, module in sys.modules.items() if _defines(module, name, handler)]
    assert len(defining) == 1, defining
    return f"{defining[0].replace('.', '/')}.py"


def _defines(module: ModuleType, name: str, handler: str) -> bool:
    return name.startswith("api.") and getattr(vars(module).get(handler), "__module__", None) == name


def test_the_page_of_the_api_names_the_module_of_every_operation() -> None:
    documented = {
        (url.strip("`").replace("…", REFERRALS), name.strip("`"), module.strip("` "))
        for urls, names, module in rows(API, "URL | operationId | module")
        for url, name in zip(urls.split(" · "), names.split(" · "), strict=True)
    }
    declared = {
        (f"{each.method} /{each.route}", to_camel(each.name), module_of(each.name))
        for each in operations.OPERATIONS.values()
    }
    assert documented == declared
