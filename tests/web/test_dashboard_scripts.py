"""The page's scripts: modules that import downwards, joined to one, and checked against what the API answers."""

import re
from collections import Counter
from itertools import chain
from pathlib import Path

from local import page_types
from shared.messages.events import EventType
from shared.web.dashboard_page import _SCRIPTS, PAGE, _joined
from shared.webhook import EVENT_TYPE_PREFIX

FOLDER = Path(page_types.FILE).parent
SOURCES = {name: (FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS}


def declared(source: str) -> list[str]:
    """The names that a module declares for itself or for others."""
    return re.findall(r"(?m)^(?:export )?(?:async )?(?:class|const|function|let) (\w+)", source)


def test_every_script_is_in_the_page() -> None:
    """No file is forgotten, and none is named that is not there."""
    assert sorted(_SCRIPTS) == sorted(file.name for file in FOLDER.glob("*.js"))


def test_scripts_import_from_those_before_them() -> None:
    """What a module uses at once has been made already, and there is no circle."""
    for number, (name, source) in enumerate(SOURCES.items()):
        imported = set(re.findall(r'from "\./(\w+\.js)"', source))
        assert imported <= set(_SCRIPTS[:number]), name


def test_no_two_scripts_declare_the_same_name() -> None:
    """Joined they share a scope, so that a name stands for one thing in all of them."""
    names = Counter(chain.from_iterable(map(declared, SOURCES.values())))
    assert [name for name, times in names.items() if times > 1] == []


def test_the_joined_module_imports_and_exports_nothing() -> None:
    """The page is complete: it asks for no other file, and everything else of each script is in it."""
    joined = _joined(SOURCES.values())
    assert re.findall(r"(?m)^(?:import|export)\b.*", joined) == []
    assert declared(joined) == list(chain.from_iterable(map(declared, SOURCES.values())))
    assert PAGE.decode().count("<script") == 2  # what the app knows, which is data, and this module


def test_the_scripts_are_checked_against_what_the_api_answers() -> None:
    """The declarations are those of the API's document now; `python -m local.page_types` writes them anew."""
    assert page_types.FILE.read_text(encoding="utf-8") == page_types.declarations()


def test_every_event_has_words_of_its_own() -> None:
    """The timeline names each type of event in words."""
    kinds = SOURCES["words.js"].split("const KINDS = {")[1].split("};")[0]
    named = set(re.findall(r'(?m)^ +"?([\w.]+)"?: \[', kinds))
    assert {kind.removeprefix(EVENT_TYPE_PREFIX) for kind in EventType} <= named
