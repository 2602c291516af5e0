"""The documents, the samples and the code say the same."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev import COMMANDS
from local import readme_message
from shared.messages.format_table import FORMATS
from shared.settings.catalog import PLATFORM_SETTINGS, SETTINGS
from shared.settings.reader import SettingReader
from shared.settings.webhooks import MEMBERS, load_webhooks

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WEBHOOKS_PAGE = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
SETTING_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
WANTED_FIRST = [
    *("BATCH_ACCOUNT_URLS", "TRACKED_JOBS", "POLL_SCHEDULE", "WEBHOOK_URL", "WEBHOOK_SECRET", "WEBHOOKS"),
    "HEARTBEAT_URL",
]
SECRET = "whsec_" + "c2VjcmV0" * 4
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
WEBHOOKS_TO_COPY = [
    *re.findall(r"```json\n(.*?)```", WEBHOOKS_PAGE, re.DOTALL),
    *(block for page in PAGES for block in re.findall(r"\bWEBHOOKS[ =]'(.*?)'", page.read_text(encoding="utf-8"))),
]


def test_the_settings_page_tells_every_setting_and_its_default() -> None:
    """The table of settings is the app's own list, word for word; the README repeats rows of it."""
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8").split("## Read from the platform")[0]
    rows = SETTING_ROW.findall(page)
    expected = [
        (setting.name, f"`{setting.default}`" if setting.default else "none", setting.meaning) for setting in SETTINGS
    ]
    assert rows == expected
    first = SETTING_ROW.findall(README)
    assert set(first) <= set(rows)
    assert [name for name, _, _ in first] == WANTED_FIRST


def test_the_settings_page_tells_what_the_platform_sets() -> None:
    """Every setting that is read besides the app's own is explained too."""
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8").split("## Read from the platform")[1]
    assert {name for name in PLATFORM_SETTINGS if f"`{name}`" not in page} == set()


def test_every_field_of_a_webhook_is_explained() -> None:
    """The table of fields has each member that the settings take, and no other."""
    rows = re.findall(r"(?m)^\| `(\w+)` \|", WEBHOOKS_PAGE)
    assert sorted(rows) == sorted(MEMBERS)


@pytest.mark.parametrize("block", WEBHOOKS_TO_COPY, ids=lambda block: block[10:30])
def test_webhooks_that_a_page_prints_can_be_copied(block: str) -> None:
    """Each is taken as it stands, as a block or in a command, once the app settings that it names are set."""
    named = set(re.findall(r"\b[A-Z]+_(?:URL|SECRET|KEY)\b", block))
    values = {"URL": "https://receiver.example.com/x", "SECRET": SECRET, "KEY": "key"}
    environment = {"WEBHOOKS": block} | {name: values[name.rpartition("_")[2]] for name in named}
    reader = SettingReader(environment=environment)
    webhooks = load_webhooks(reader, allow_http=False)
    assert [str(problem) for problem in reader.problems] == []
    assert len(webhooks) == len(json.loads(block))


def test_every_format_has_a_block() -> None:
    """Each format has a heading of its own with a block to copy under it."""
    sections = re.findall(r"(?m)^### (\w+)", WEBHOOKS_PAGE)
    assert sections == list(FORMATS)


def test_every_setting_that_the_code_names_is_known() -> None:
    """No module, host.json included, reads a setting that the list does not have."""
    known = {setting.name for setting in SETTINGS} | set(PLATFORM_SETTINGS)
    # Written by the tests for settings that other settings name.
    files = [*ROOT.glob("shared/**/*.py"), ROOT / "function_app.py", ROOT / "host.json"]
    named = {
        name
        for file in files
        for name in re.findall(
            r"[\"'%]((?:BATCH|POLL|STATE|WEBHOOK|STALE|RETENTION|TRACKED|EVENT|STDERR|HEARTBEAT|PUBLIC|WEBSITE|FIRST|REQUIRE|AZURE)_[A-Z_]+)[\"'%]",
            file.read_text(encoding="utf-8"),
        )
    }
    assert named <= known


ELSEWHERE = {
    "AZURE_COSMOS_KEY": "a secret that security.md recognises",
    "AZURE_STORAGE_KEY": "the same",
    "AZURE_SUBSCRIPTION_ID": "GitHub's variable, of azd's own workflow",
    "AZURE_TENANT_ID": "the same",
    "PREPWATCH_REQUIRE_ALL": "CI's, for the tests",
    **dict.fromkeys(("OPS_SECRET", "PAGERDUTY_KEY", "SLACK_URL", "TEAMS_URL"), "the reader's, which a webhook names"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_setting_that_a_page_names_is_one(page: Path) -> None:
    """A name in capitals is a setting of the app, a variable of the deployment, or known to be somebody else's."""
    parameters = re.findall(r"\$\{([A-Z_]+)", (ROOT / "infra/main.parameters.json").read_text(encoding="utf-8"))
    known = {setting.name for setting in SETTINGS} | set(PLATFORM_SETTINGS) | set(parameters) | set(ELSEWHERE)
    named = re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", page.read_text(encoding="utf-8"))
    assert set(named) - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_the_project_that_a_page_prints_exists(page: Path) -> None:
    """What stands behind `make` and `dev.py` is a target and a command."""
    targets = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0].split()
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)
    assert set(re.findall(r"python3 dev\.py ([a-z-]+)", text)) <= set(COMMANDS)


def test_the_sample_is_the_list_and_what_a_local_host_needs() -> None:
    """local.settings.sample.json names every setting, and nothing unknown."""
    values = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    assert set(values) == {setting.name for setting in SETTINGS} | {"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"}


def test_what_the_sample_names_can_be_started() -> None:
    """The simulated account and the receiver that CONTRIBUTING.md starts are those of local.settings.sample.json."""
    values = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    account, hook = (urlsplit(values[name]) for name in ("BATCH_ACCOUNT_URLS", "WEBHOOK_URL"))
    simulator = f"--port {account.port} --account {values['BATCH_ACCOUNT_NAME']} --key {values['BATCH_ACCOUNT_KEY']}"
    assert f"local.batch_simulator {simulator}\n" in page
    assert f"local.webhook_receiver --port {hook.port} --secret {values['WEBHOOK_SECRET']} " in page


def test_the_architecture_page_has_a_line_for_every_module() -> None:
    """Every module of the package has its line under its folder, which says what its first line says."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = page.split("## The folders")[1].split("\n## ")[0]
    lines: dict[str, str] = {}
    for part in section.split("\n### ")[1:]:
        folder = part.partition("\n")[0].strip("`/ ")
        rows = re.findall(r"(?m)^\| `(\w+)` \| (.*) \|$", part)
        lines |= {f"{folder}/{name}".removeprefix("shared/"): said for name, said in rows}
    shared = ROOT / "shared"
    modules = {file.relative_to(shared).with_suffix("").as_posix(): file for file in shared.glob("**/*.py")}
    assert lines == {name: _first_line(file) for name, file in modules.items() if "__init__" not in name}


def _first_line(module: Path) -> str:
    said = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return said.partition("\n\n")[0].replace("\n", " ")


def test_every_folder_says_its_question_and_nothing_else() -> None:
    """An `__init__` of the package holds one line, and nothing is exported again; the map repeats the question."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for file in ROOT.glob("shared/*/__init__.py"):
        question = file.read_text(encoding="utf-8")
        assert re.fullmatch(r'"""[^"\n]+\?"""\n', question), file
        assert question.strip('"\n') in page, file


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda file: file.name
)
def test_links_lead_somewhere(file: Path) -> None:
    """Every link within the project names a file, and a heading of it; every other one is a whole address."""
    links = re.findall(r"\]\(([^)\s]*)\)|<(https?:[^>\s]*)>", file.read_text(encoding="utf-8"))
    assert [link for one in links if not _leads_somewhere(file, link := "".join(one))] == []


def _leads_somewhere(file: Path, link: str) -> bool:
    if re.match(r"https?:", link):
        address = urlsplit(link)
        return (address.scheme == "https" and "." in (address.hostname or "")) or address.hostname == "localhost"
    place, _, heading = link.partition("#")
    named = file.parent / place if place else file
    return named.exists() and (not heading or heading in _anchors(named.read_text(encoding="utf-8")))


def _anchors(page: str) -> set[str]:
    """What GitHub calls the headings of a page: in lower case, without punctuation, hyphens for blanks."""
    outside = re.sub(r"(?ms)^```.*?^```$", "", page)
    headings = re.findall(r"(?m)^#+ (.+)$", outside)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "link",
    ["no-such-page.md", "README.md#no-such-heading", "#no-such-heading", "http://example.com/", "https://"],
)
def test_links_that_lead_nowhere_are_found(link: str) -> None:
    """A file or a heading that is not there, a half address and one that anybody can read on the way are refused."""
    assert _leads_somewhere(ROOT / "README.md", "README.md#settings-you-will-want")
    assert not _leads_somewhere(ROOT / "README.md", link)


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """What stands in code as a path of the project is a file or folder of it, as it stands."""
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:docs|shared|tests|trials|infra|local|benchmarks|\.github)/[\w./-]*)`", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda page: page.name)
def test_metrics_that_a_page_names_are_there(page: Path) -> None:
    """Every metric that a page names is one that the app answers."""
    named = set(re.findall(r"\bprepwatch_[a-z_]+", page.read_text(encoding="utf-8")))
    source = "".join(file.read_text(encoding="utf-8") for file in ROOT.glob("shared/api/*metrics.py"))
    known = set(re.findall(r'"(prepwatch_[a-z_]+)"', source))
    assert {name for name in named if name not in known and name.removesuffix("_total") not in known} == set()


def test_the_security_page_names_tests_that_exist() -> None:
    """Whatever the page says is shown by a test names one that is there."""
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[a-z_/]+(?:\.py)?)`", page)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_host_runs_queues_as_the_design_of_deliveries_needs() -> None:
    """Few messages at a time that wait for no slow one, patient retries, and a limit above the longest run."""
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))
    # POLL_BUDGET_SECONDS is 300 at most: a job is listed until three budgets after a cycle's beginning, and standstills
    # and pools have half of one each then.
    assert hours * 3600 + minutes * 60 + seconds > 4 * 300
    assert host["extensions"]["queues"] == {
        "batchSize": 4,
        "newBatchThreshold": 2,
        "visibilityTimeout": "00:00:30",
        "maxPollingInterval": "00:00:05",
    }


def test_nothing_that_alerts_count_is_sampled() -> None:
    """Under load the platform leaves telemetry out, but no run, no exception and no line of the log."""
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    sampling = host["logging"]["applicationInsights"]["samplingSettings"]
    assert set(sampling["excludedTypes"].split(";")) == {"Request", "Exception", "Trace"}


def test_the_readme_shows_what_slack_is_sent() -> None:
    """The message in README.md is the one that the app sends now; `python -m local.readme_message` writes it anew."""
    assert readme_message.part_of(readme_message.PAGE.read_text(encoding="utf-8")) == readme_message.part()


def test_the_keys_that_event_rules_can_go_by_are_told() -> None:
    """docs/operate.md names every key under which a pager's details stand, and no other."""
    sources = ("digests/incidents/notices.py", "digests/pools/notices.py", "messages/event_notices.py")
    made = "".join((ROOT / "shared" / source).read_text(encoding="utf-8") for source in sources)
    keys = set(re.findall(r'(?m)^        "(\w+)": ', made)) | {"webhook"}
    page = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    told = page.split("A pager's details stand under keys")[1].split("`class`")[0]
    assert set(re.findall(r"`(\w+)`", told)) == keys


def test_the_proof_of_an_installation_is_a_job_that_batch_takes() -> None:
    """The JSON of the job on the page is well-formed, its preparation fails at once, and the same job is removed."""
    page = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    (job,) = re.findall(r"echo '({.*})' > proof.json", page)
    made = json.loads(job)
    assert made.keys() == {"id", "poolInfo", "jobPreparationTask"}
    assert made["jobPreparationTask"] == {"commandLine": '/bin/sh -c "exit 1"'}
    assert page.count(f"--job-id {made['id']}") == 2


def test_every_line_of_the_log_is_described() -> None:
    """The page names each line that the app writes into the log, with its fields, and no other."""
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8").partition("\n## The log\n")[2]
    described: dict[str, set[str]] = {}
    for names, fields in re.findall(r"^\| (`[a-z`, -]+`) \| ([a-zA-Z, ]+) \| ", page, re.MULTILINE):
        described.update({name: set(fields.split(", ")) for name in re.findall(r"`([a-z-]+)`", names)})
    written: dict[str, set[str]] = {}
    for path in (ROOT / "shared").rglob("*.py"):
        for name, fields in _lines_of(ast.parse(path.read_text(encoding="utf-8"))):
            written.setdefault(name, set()).update(fields)
    assert described.keys() == written.keys()
    assert {name: fields - described[name] for name, fields in written.items() if fields - described[name]} == {}


def _lines_of(module: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """The names of the lines that a module writes, each with fields that it may have."""
    for function in (found for found in ast.walk(module) if isinstance(found, ast.FunctionDef)):
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in {"write_line", "write_defect"}:
                continue
            fields = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
            name = call.args[0]
            if isinstance(name, ast.Constant):
                yield str(name.value), fields
            elif function.name.startswith("_"):  # whoever calls it names the line
                for other in ast.walk(module):
                    if isinstance(other, ast.Call) and getattr(other.func, "attr", "") == function.name:
                        yield str(ast.literal_eval(other.args[-1])), fields
