# ruff: noqa: E501, RUF001 - the corpora have a line each, in the scripts that people write
"""Which spellings of a secret are recognised, and which lines are left alone: the two corpora."""

import base64
import json
import random
import re
import time
from collections.abc import Iterator

import pytest

from shared.redaction import CUT_MARK, clean, clean_tail
from shared.secret_names import NAME_MARKS, REDACTED, SHORT, STRONG, WEAK
from shared.secrets import MARKS, SHAPES, redact

_KEY = "Zk9wQ3hXb1Zt+nR5TGpHc0Ra" * 3 + "BvZ4cUV1SW/PcF" + "=="
_HEX = "5f2b8c1d9e7a4036b1c2d3e4f5a6978f"
NAMED = {
    "AccountKey": _KEY,
    "SharedAccessKey": "kJ7hG3fD9sA1qW5eR8tY2uI6oP0zX4cV7bN1mQ3wE5r=",
    "AZURE_STORAGE_KEY": _KEY,
    "AZURE_BATCH_ACCESS_KEY": _KEY,
    "AZURE_CLIENT_SECRET": "q3N8Q~dF7hJ2kL9pR4tV6xZ1bC5mW8nY3sA0uE7g",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12",
    "aws_session_token": "IQoJb3JpZ2luX2VjEJr7dGhpc2lzYXRva2VuMTIz",
    "GITHUB_TOKEN": "v1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b",
    "DOCKER_PASSWORD": "correct-horse-battery-staple-42",
    "_authToken": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    "TWINE_PASSWORD": "hunter2hunter2hunter2",
    "SLACK_BOT_TOKEN": "tok81723abcdef9981237",
    "routing_key": _HEX,
    "PAGERDUTY_API_KEY": "y_NbAkKc66ryYTWUXYEu",
    "PGPASSWORD": "s3cr3tP4ssw0rdForPg",
    "x-api-key": "6c1f0b2e-aa41-4dcb-9f0e-1b2c3d4e5f60",
}
SPELLINGS = {
    "plain": "{name}={value}",
    "url": "https://host.example/p?a=1&{name}={value}&b=2",
    "json": '{{"a": 1, "{name}": "{value}", "b": "c"}}',
    "yaml": "  {name}: {value}\n  other: 1",
    "command": "run --quiet --{option} {value} --next",
    "environment": 'declare -x {name}="{value}"\nPATH=/bin',
    "header": "{name}: {value}\r\nHost: x",
    "coloured": "\x1b(B\x1b[m\x1b[31m{name}\x1b[0m=\x1b[1m{value}\x1b(B\x1b[m done",
    "pair": '[{{"name": "{name}", "value": "{value}"}}]',
    "element": "<{name}>{value}</{name}>",
}
TOKENS = {
    "github": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github fine": "github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789",
    "npm": "npm_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "pypi": "pypi-AgEIcHlwaS5vcmcCJDU2NzhhYmNkLTEyMzQ",
    "docker": "dckr_pat_Ab3dEf6hIj9lMn2pQr5tUv8xYz1",
    "slack": "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "aws id": "AKIAIOSFODNN7EXAMPLE",
    "entra": "q3N8Q~dF7hJ2kL9pR4tV6xZ1bC5mW8nY3sA0uE7g",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
}
PLACES = {
    "alone": "{value}",
    "in words": "could not use {value} here",
    "after a colour": "\x1b(B\x1b[m{value}\x1b[0m",
    "after an escape": "\x1b7{value}",
    "as json": '["{value}"]',
    "in a url": "https://host.example/{value}?x=1",
}
OTHERS = {
    "sas": ("https://a.blob.core.windows.net/c?sv=2024&sr=b&sig=aB3dEf6hIj9lMn2pQr5tUv8xYz1%3D&se=2030", "aB3dEf6hIj9lMn2p"),
    "sas encoded": ("x%3Fsv%3D1%26sig%3DaB3dEf6hIj9lMn2pQr5tUv8xYz1", "aB3dEf6hIj9lMn2p"),
    "bearer": ("Authorization: Bearer aB3dEf6hIj9lMn2pQr5tUv8", "aB3dEf6hIj9lMn2p"),
    "bearer after tput": ("Authorization: \x1b(BBearer aB3dEf6hIj9lMn2pQr5tUv8", "aB3dEf6hIj9lMn2p"),
    "basic": ("authorization: basic dXNlcjpodW50ZXIyaHVudGVyMg==", "dXNlcjpodW50ZXIy"),
    "github header": ("Authorization: token aB3dEf6hIj9lMn2pQr5tUv8", "aB3dEf6hIj9lMn2p"),
    "postgres": ("postgresql://app:s3cr3tP4ssw0rdForPg@db.example:5432/x", "s3cr3tP4ssw0rdForPg"),
    "pgpass": ("db.example:5432:app:app:s3cr3tP4ssw0rdForPg", "s3cr3tP4ssw0rdForPg"),
    "sql": ("ALTER USER app PASSWORD 's3cr3tP4ssw0rdForPg';", "s3cr3tP4ssw0rdForPg"),
    "libpq": ("host=db user=app password='s3cr3t P4ssw0rd ForPg' dbname=x", "s3cr3t P4ssw0rd ForPg"),
    "curl": ("curl -u app:s3cr3tP4ssw0rdForPg https://x", "s3cr3tP4ssw0rdForPg"),
    "docker login": ("docker login -u app -p s3cr3tP4ssw0rdForPg", "s3cr3tP4ssw0rdForPg"),
    "slack hook": ("https://hooks.slack.com/services/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", "aB3dEf6hIj9lMn2p"),
    "function key": ("https://x.azurewebsites.net/api/f?code=aB3dEf6hIj9lMn2pQr5tUv8xYz1wV4uT7sR0==", "aB3dEf6hIj9lMn2p"),
    "pem": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAaB3dEf6hIj9l\nMn2pQr5tUv8xYz1wV4uT\n-----END RSA PRIVATE KEY-----", "MIIEowIBAAKCAQEAaB3dEf6hIj9l"),
    "pem in json": (json.dumps({"k": "-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEAaB3dEf6hIj9l\n-----END PRIVATE KEY-----"}), "MIIEowIBAAKCAQEAaB3dEf6hIj9l"),
    "zero width": ("Bea\u200drer aB3dEf6hIj9lMn2pQr5tUv8", "aB3dEf6hIj9lMn2p"),
    "soft hyphen": ("pass\u00adword=hunter2hunter2hunter2", "hunter2hunter2hunter2"),
    "connection string": (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={_KEY};EndpointSuffix=x", _KEY),
    "dockerfile": ("ENV DB_PASSWORD s3cr3tP4ssw0rdForPg", "s3cr3tP4ssw0rdForPg"),
    "fish": ("set -x PGPASSWORD s3cr3tP4ssw0rdForPg", "s3cr3tP4ssw0rdForPg"),
    "sshpass": ("sshpass -p s3cr3tP4ssw0rdForPg ssh x", "s3cr3tP4ssw0rdForPg"),
    "mysql": ("mysql -u app -ps3cr3tP4ssw0rdForPg -h db", "s3cr3tP4ssw0rdForPg"),
    "bytes": ("{b'password': b's3cr3tP4ssw0rdForPg'}", "s3cr3tP4ssw0rdForPg"),
    "call": ("Settings(password=SecretStr('s3cr3tP4ssw0rdForPg'))", "s3cr3tP4ssw0rdForPg"),
    "yaml block": ("password: |\n  s3cr3tP4ssw0rdForPg\nother: 1", "s3cr3tP4ssw0rdForPg"),
    "yaml folded": ("password: >-\n  s3cr3tP4ssw0rdForPg", "s3cr3tP4ssw0rdForPg"),
    "json over lines": ('"password":\n   "s3cr3tP4ssw0rdForPg"', "s3cr3tP4ssw0rdForPg"),
    "html": ("&quot;password&quot;:&quot;s3cr3tP4ssw0rdForPg&quot;", "s3cr3tP4ssw0rdForPg"),
    "json in a url": ("%7B%22password%22%3A%22s3cr3tP4ssw0rdForPg%22%7D", "s3cr3tP4ssw0rdForPg"),
    "url in a url": ("x%253Fsig%253DaB3dEf6hIj9lMn2pQr5tUv8xYz1", "aB3dEf6hIj9lMn2p"),
    "escaped quotes": ("\\u0022password\\u0022: \\u0022s3cr3tP4ssw0rdForPg\\u0022", "s3cr3tP4ssw0rdForPg"),
    "full width": ("password＝s3cr3tP4ssw0rdForPg", "s3cr3tP4ssw0rdForPg"),
    "no-break space": ("password\xa0=\xa0s3cr3tP4ssw0rdForPg", "s3cr3tP4ssw0rdForPg"),
    "overstruck": ("p\x08pa\x08assword=s3cr3tP4ssw0rdForPg", "s3cr3tP4ssw0rdForPg"),
    "kubeconfig": ("client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBL"),
    "putty": ("PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 1\nAAABAQCaB3dEf6hIj9lMn2pQr5tUv8\nPrivate-MAC: 5f", "AAABAQCaB3dEf6hIj9lMn2pQr5tUv8"),
}  # fmt: skip


def _nested(text: str) -> str:
    return json.dumps({"error": json.dumps({"inner": text})})


def corpus() -> Iterator[tuple[str, str, str]]:
    """Every spelling: its id, the text, and the secret in it."""
    for name, value in NAMED.items():
        for spelling, pattern in SPELLINGS.items():
            option = name.strip("_").replace("_", "-").lower()
            text = pattern.format(name=name, value=value, option=option)
            yield f"{name} {spelling}", text, value
            if spelling == "json":
                yield f"{name} json in json", json.dumps({"body": text}), value
                yield f"{name} json in json in json", _nested(text), value
    for name, value in TOKENS.items():
        for place, pattern in PLACES.items():
            yield f"{name} {place}", pattern.format(value=value), value
    for name, (text, value) in OTHERS.items():
        yield name, text, value


CORPUS = list(corpus())


def _survivors(secret: str, cleaned: str) -> list[str]:
    return [secret[at : at + 10] for at in range(len(secret) - 9) if secret[at : at + 10] in cleaned]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("git clone https://ghp16C7e42F292c6912E7710@github.example/a.git", "ghp16C7e42F292c6912E7710"),
        ("echo s3cr3tP4ssw0rdForPg | docker login -u app --password-stdin", "s3cr3tP4ssw0rdForPg"),
        *((PLACES[place].format(value=_KEY), _KEY) for place in PLACES if place != "in a url"),
    ],
)
def test_what_only_its_end_tells(text: str, secret: str) -> None:
    """A key of 88 characters, or a user name of many, is recognised whole: without its end it could be anything."""
    assert not _survivors(secret, clean(text))
    for limit in range(16, len(text), 13):
        assert not _survivors(secret, clean(text, limit=limit)), limit


@pytest.mark.parametrize("noise", ["\x1b[31m", "\u200b", "x\x1b[0m"])
def test_a_key_is_not_shown_where_a_text_is_cut_before_it_was_looked_at(noise: str) -> None:
    """Of a text without end only the beginning is looked at, and nothing of a key that is cut there is kept."""
    limit = 256
    for number in range(100):
        key = base64.b64encode(random.Random(number).randbytes(64)).decode()
        for missing in range(1, 88, 9):
            padding = (noise * limit * 8)[: limit * 8 - 88 + missing]
            assert not _survivors(key, clean(f"{padding}{key} and so on", limit=limit)), (number, missing)


@pytest.mark.parametrize("behind", [" and then it failed\n", "\nand then it failed\n", "\x1b[31m" * 200 + " why"])
@pytest.mark.parametrize("before", ["", "AccountKey=", "key is "])
def test_a_tail_that_begins_within_a_key_shows_nothing_of_it(before: str, behind: str) -> None:
    """What was cut off before a tail may be the beginning of a secret, wherever the cut goes; other lines stay."""
    text = f"{before}{_KEY}{behind}"
    for start in range(1, len(before) + 88):
        told = clean_tail(text[start:], limit=4096, is_cut=True)
        assert not _survivors(_KEY, told), start
        assert told == ("and then it failed\n" if behind.startswith("\n") else "")


def test_the_corpus_is_large() -> None:
    """At least two hundred spellings, each with an id of its own."""
    assert len({name for name, _, _ in CORPUS}) == len(CORPUS) >= 200


@pytest.mark.parametrize(
    ("text", "secret"), [(text, secret) for _, text, secret in CORPUS], ids=[name for name, _, _ in CORPUS]
)
def test_no_ten_characters_of_a_secret_survive(text: str, secret: str) -> None:
    """Whole, and cut at every position before or after the cleaning, nothing of the secret is left to read."""
    assert secret[:10] in text
    assert not _survivors(secret, clean(text))
    for end in range(len(text)):
        assert not _survivors(secret, clean(text[:end])), text[:end]
    for limit in range(16, len(text), 13):
        assert not _survivors(secret, clean(text, limit=limit)), limit


HARMLESS = [
    *(f"{algorithm}:{_HEX * 2}" for algorithm in ("sha256", "md5", "digest", "etag", "layer", "image", "blob")),
    *(f"{word} {_HEX}" for word in ("commit", "build", "at", "from", "to", "tree", "node", "request", "trace")),
    *(f"{_HEX[:8]}-{_HEX[8:12]}-4{_HEX[13:16]}-a{_HEX[17:20]}-{_HEX[:12]} {word}" for word in ("started", "ended", "lost", "ok")),
    *(f"/mnt/batch/tasks/workitems/job-{number}/job-1/jobpreparation/wd/run{number}.sh: line {number}: not found" for number in range(20)),
    *(f"tvmps_{_HEX * 2}_d state {state}" for state in ("idle", "running", "unusable", "offline", "starting")),
    *(f"Reading package lists... {number}%" for number in range(0, 100, 5)),
    *(f"Get:{number} http://archive.ubuntu.com/ubuntu jammy/main amd64 lib{number} amd64 2.{number}-1 [12.3 kB]" for number in range(20)),
    *(f'  File "/usr/lib/python3.11/site.py", line {number}, in main' for number in range(10)),
    *(f"pip install package{number}==1.{number}.0" for number in range(15)),
    *(f"data:text/plain;base64,{'QUFB' * number}" for number in range(1, 12)),
    *(f"exit code: {number}" for number in range(12)),
    *(f"E: Unable to locate package lib{number}-dev" for number in range(10)),
    *(f"curl: ({number}) could not resolve host: example{number}.com" for number in range(10)),
    *(f"docker pull registry.example:5000/team/app:{number}.{number}" for number in range(10)),
    *(f"node{number}.example.com:22 closed the connection" for number in range(10)),
    *(f"AZ_BATCH_NODE_ID=tvm-{number} AZ_BATCH_POOL_ID=pool-{number}" for number in range(10)),
    "The specified type of authentication SharedKey is not allowed for this account.",
    "Bearer tokens are refused here", "One of the specified Azure Blob(s) is not found.", "password: required",
    "Enter passphrase (empty for no passphrase):", "syntax error near unexpected token `('", "unexpected token: }",
    "token: expected", "design = significant, line one", "PRIMARY KEY: id", "cache-key: linux-x64-node-20",
    "PartitionKey=contoso", "key=value", "foreign key (a) references b", "permission denied (publickey,password).",
    "npm_config_cache=/tmp/npm npm_lifecycle_event=postinstall", "git@github.com:owner/repo.git", "mail user@example.com",
    "keyboard interrupt", "monkey=1", "tokenizer: loaded 50257 tokens", "secretary: smith", "passed=12 failed=0",
    "bypass=1", "compass: north", "PASS: test_one", "author: somebody", "authors=3", "http://host:8080/path",
    "SharedAccessKeyName=RootManageSharedAccessKey", "AccountName=contoso", "secretName: my-vault-entry", "max_tokens=4096",
    "password=${DB_PASSWORD}", "password: ****", "TOKEN=$TOKEN", "sha512-" + "A" * 86 + "==", "-----BEGIN CERTIFICATE-----",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 user@host", "session ended after 30 s", "code: BlobNotFound", "error code=E1234",
    "می\u200cخواهم", "👩\u200d👩\u200d👧 ok", "नमस\u094d\u200dते", "Zażółć gęślą jaźń", "❤\ufe0f", "signal=9", "sigkill: 9",
    "12:30:45:123 begun", "a:b:c:d:e", "AZURE_STORAGE_KEY is not set", "DB_PASSWORD must be given", "mysql -h db -u app x",
    "echo 12 | docker ps", "description: |\n  two lines\n  of words", "error: b'not found'", "MAX_TOKENS 4096 used",
]  # fmt: skip


def test_two_hundred_harmless_lines() -> None:
    """Hashes, ids, paths, base64 of nothing and plain words stay as they are, none of them spoilt."""
    assert len(set(HARMLESS)) == len(HARMLESS) >= 200
    assert [line for line in HARMLESS if clean(line) != line] == []


def test_what_looks_like_a_secret_has_its_mark() -> None:
    """Where a pattern finds something, one of the texts stands without which it is not even tried."""
    texts = [text.replace("s", letter) for _, text, _ in CORPUS for letter in ("s", "\u017f")]
    for marks, pattern, _ in SHAPES:
        found = [text.casefold() for text in texts if re.search(pattern, text, re.IGNORECASE)]
        assert not marks or all(any(mark in text for mark in marks) for text in found), pattern
        assert all(mark == mark.casefold() and any(known in mark for known in MARKS) for mark in marks), marks


def test_every_name_of_a_secret_has_its_mark() -> None:
    """A text without any of the marks of names holds none of the names that say that a secret follows."""
    assert [name for name in (*STRONG, *WEAK, *SHORT) if not any(mark in name for mark in NAME_MARKS)] == []


FLOODS = ["a", "a.", "sig=", "key ", "://", "://a:", "eyJ", "eyJ.", "-----BEGIN PRIVATE KEY-----", "password=", '\\"', "-u ",
          "name=key ", "<a>", "\x1b", "\x1b]", "\x1b[", "1:5432:", "u+", "login ", "--a ", "A", "AKIA", "Bearer ", "'", "\u200d",
          "token: ", "%3D", "PASSWORD ", "hooks.slack.com/services/", "npm_", "-", "mysql -p", "sshpass -p ",
          "ENV_A ", "&quot;", "%22", "password: |\n ", "echo a | docker ", "%2B", "Private-Lines: 1\n", "x\x08", "A_",
          "a,key\n", "key is ", "[redacted]\n", "aB3dEf6hIj9lMn2p", "digest ", "token\t", "value: 'a' name: ", "\\u0061", "a/", "<a"]  # fmt: skip


@pytest.mark.parametrize("flood", FLOODS)
def test_no_text_takes_longer_than_its_length(flood: str) -> None:
    """Eight times the text takes about eight times as long, whatever it is made of, and not sixty-four times."""

    def seconds(length: int) -> float:
        text = (flood * length)[:length]
        began = time.process_time()
        clean(text, limit=length)
        return time.process_time() - began

    seconds(1_000)
    small = min(seconds(2_000) for _ in range(3))
    assert seconds(16_000) < 24 * small + 0.05


def test_a_mark_is_all_that_is_left() -> None:
    """What is around a secret stays readable."""
    assert redact(f"before AccountKey={_KEY};after=1") == f"before AccountKey={REDACTED};after=1"
    assert clean("x " * 400 + "password=abc", limit=40).endswith(CUT_MARK)
