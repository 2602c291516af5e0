# ruff: noqa: E501 - the corpora have a line each
"""Secrets that nothing but what stands around them tells: prose, headings, lines that go on, words of pure chance."""

import base64
import json

import pytest

from shared.redaction import clean, clean_tail
from shared.secret_guesses import is_drawn

KEY = "qV7xP0LmT3uYbN8cZ5wRkS1dJf6HgA9eXoQ2iUtW4vBnMzKpCyDrEhGsFjIlOaTuVxYb1c2d3e4f+ASt/5gh=="
AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
PASSWORD = "s3cr3tP4ssw0rdForPg"
VALUES = {
    "AccountKey": KEY,
    "SharedAccessKey": "kJ7hG3fD9sA1qW5eR8tY2uI6oP0zX4cV7bN1mQ3wE5r=",
    "AZURE_CLIENT_SECRET": "q3N8Q~dF7hJ2kL9pR4tV6xZ1bC5mW8nY3sA0uE7g",
    "aws_secret_access_key": AWS,
    "NPM_TOKEN": "npm_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "PAGERDUTY_TOKEN": "y_NbAkKc66ryYTWUXYEu",
    "routing_key": "5f2b8c1d9e7a4036b1c2d3e4f5a6978f",
    "PGPASSWORD": PASSWORD,
    "DOCKER_AUTH": "YXBwOmh1bnRlcjJodW50ZXIy",
    "token": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
}
SURROUNDINGS = {
    "comma": "user,{name},host\napp,{value},db\n",
    "quoted commas": '"user","{name}","host"\n"app","{value}","db"\n',
    "tabs": "user\t{name}\thost\napp\t{value}\tdb\n",
    "semicolons": "user;{name};host\napp;{value};db\n",
    "blanks": "User    {name}    Host\n------  -----------  ----\napp     {value}    db\n",
    "bars": "| user | {name} | host |\n|------|-----|-----|\n| app | {value} | db |\n",
    "a row of two": "{name}\t{value}\nuser\tapp",
    "is": "the {name} is {value} and it failed",
    "was": 'my {name} was "{value}"',
    "is:": "{name} is: {value}",
    "using": "Logging in using {name} {value}",
    "quoted": "failed with {name} '{value}'",
    "in brackets": "{name} ({value}) is invalid",
    "index": "config['{name}'] = '{value}'",
    "environ": 'os.environ["{name}"] = "{value}"',
    "arrow": "{name} -> {value}",
    "list": '{{"{name}": ["{value}"]}}',
    "object": '{{"{name}": {{"value": "{value}"}}}}',
    "secure value": '[{{"name": "{name}", "secureValue": "{value}"}}]',
    "turned pair": '[{{"value": "{value}", "name": "{name}"}}]',
    "header tuple": "[(b'{name}', b'{value}')]",
    "three quotes": '{name} = """{value}"""',
    "arguments": '["run", "--{name}", "{value}"]',
    "form": 'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--x',
    "next line": "{name}:\n    {value}\n",
    "table cell": "<td>{name}</td><td>{value}</td>",
    "cdata": "<{name}><![CDATA[{value}]]></{name}>",
    "here string": "read {name} <<< {value}",
    "masked": "::add-mask::{value}",
    "variable": "##vso[task.setvariable variable={name};issecret=true]{value}",
    "piped": "echo {value} | run --{name}-stdin",
    "set": "gh secret set {name} --body {value}",
}
BROKEN = {
    "over lines": "{name}={first}\n{second}\nnext line",
    "in quotes": '{name}: "{first}\n{second}"\nnext',
    "with a backslash": '{name}="{first}\\\n{second}"\nnext',
    "indented": "{name}={first}\r\n    {second}\nnext line",
}
BY_ITSELF = {
    "jwk": (json.dumps({"kty": "oct", "k": "aB3dEf6hIj9lMn2pQr5tUv8xYz1wV4uT7sR0_-ab"}), "aB3dEf6hIj9lMn2pQr5tUv8xYz1wV4uT7sR0_-ab"),
    "jwk in json": (json.dumps({"a": json.dumps({"kty": "EC", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})}), "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
    "aws": (f"AKIAIOSFODNN7EXAMPLE {AWS}", AWS),
    "256 bits": ("rejected: kJ7hG3fD9sA1qW5eR8tY2uI6oP0zX4cV7bN1mQ3wE5r=", "kJ7hG3fD9sA1qW5eR8tY2uI6oP0zX4cV7bN1mQ3wE5r"),
    "over lines": (f"{KEY[:64]}\n{KEY[64:]}", KEY),
    "slashes escaped": (json.dumps({"p": KEY}).replace("/", "\\/"), KEY[:60]),
    "text inside base64": (base64.b64encode(f"AccountName=a;AccountKey={KEY}".encode()).decode(), base64.b64encode(f"AccountName=a;AccountKey={KEY}".encode()).decode()),
    "letters escaped in json": (f"\\u0070assword={PASSWORD}", PASSWORD),
    "letters escaped in a url": (f"pass%77ord={PASSWORD}", PASSWORD),
    "letters escaped in html": (f"pass&#119;ord={PASSWORD}", PASSWORD),
    "sign escaped": ("sig\\u003daB3dEf6hIj9lMn2pQr5tUv8xYz1", "aB3dEf6hIj9lMn2pQr5tUv8xYz1"),
    "aws configure": (f"AWS Secret Access Key [None]: {AWS}", AWS),
    "prompt": (f"Password for 'https://x@github.com': {PASSWORD}", PASSWORD),
    "redis": (f"redis-cli -h h -a {PASSWORD} ping", PASSWORD),
    "login": (f"az acr login -n x -u a -p {PASSWORD}", PASSWORD),
    "cifs": (f"net use Z: //a/x /user:Azure/a {KEY}", KEY),
    "spark": (f"fs.azure.account.key.acct.dfs.core.windows.net={KEY}", KEY),
    "cookie": ("Cookie: sid=5f2b8c1d9e7a4036b1c2d3e4f5a6978f; a=b", "5f2b8c1d9e7a4036b1c2d3e4f5a6978f"),
    "another scheme": ("Authorization: ApiKey 5f2b8c1d9e7a4036b1c2d3e4f5a6978f", "5f2b8c1d9e7a4036b1c2d3e4f5a6978f"),
    "digest": ('Authorization: Digest username="a", response="5f2b8c1d9e7a4036b1c2d3e4f5a6978f"', "5f2b8c1d9e7a4036b1c2d3e4f5a6978f"),
    "pagerduty": ("https://events.pagerduty.com/integration/5f2b8c1d9e7a4036b1c2d3e4f5a6978f/enqueue", "5f2b8c1d9e7a4036b1c2d3e4f5a6978f"),
    "teams": ("https://x.webhook.office.com/webhookb2/0f1e2d3c-4b5a@a/IncomingWebhook/5f2b8c1d9e7a4036b1c2d3e4f5a6978f/x", "5f2b8c1d9e7a4036b1c2d3e4f5a6978f"),
    "pat": ("AZURE_DEVOPS_EXT_PAT=abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst", "abcdefghijklmnopqrstuvwxyz234567"),
}  # fmt: skip


def _survives(secret: str, cleaned: str) -> bool:
    return any(secret[at : at + 10] in cleaned for at in range(len(secret) - 9))


@pytest.mark.parametrize("spelling", SURROUNDINGS)
def test_what_is_around_a_secret_tells_it(spelling: str) -> None:
    """In columns, prose, calls, forms and commands no ten characters of a secret survive."""
    texts = {name: SURROUNDINGS[spelling].format(name=name, value=value) for name, value in VALUES.items()}
    assert [name for name, text in texts.items() if _survives(VALUES[name], clean(text))] == []


@pytest.mark.parametrize("spelling", BROKEN)
def test_a_secret_goes_on_in_the_next_line(spelling: str) -> None:
    """Broken over two lines a secret is gone from both of them, and the third one stays."""
    for name, value in VALUES.items():
        half = len(value) // 2
        cleaned = clean(BROKEN[spelling].format(name=name, first=value[:half], second=value[half:]))
        assert not _survives(value, cleaned), cleaned
        assert "next" in cleaned


@pytest.mark.parametrize(("text", "secret"), BY_ITSELF.values(), ids=BY_ITSELF)
def test_what_nothing_names(text: str, secret: str) -> None:
    """Keys with a form of their own, and words that are long and drawn by chance."""
    assert not _survives(secret, clean(text))


@pytest.mark.parametrize("spelling", ["comma", "is", "next line", "list", "arguments", "blanks"])
def test_cut_anywhere(spelling: str) -> None:
    """A text that ends within the secret shows no ten characters of it either."""
    for name in ("AccountKey", "aws_secret_access_key", "routing_key", "PGPASSWORD", "token"):
        text = SURROUNDINGS[spelling].format(name=name, value=VALUES[name])
        for end in range(text.index(VALUES[name]), len(text)):
            assert not _survives(VALUES[name], clean(text[:end])), text[:end]


@pytest.mark.parametrize("spelling", ["turned pair", "piped", "secure value"])
def test_cut_before_what_tells(spelling: str) -> None:
    """A text that ends before the name of the secret, or before what it is piped into, shows nothing of it."""
    for name in ("AccountKey", "routing_key", "PGPASSWORD", "token"):
        text = SURROUNDINGS[spelling].format(name=name, value=VALUES[name])
        for end in range(text.index(VALUES[name]) + 10, len(text), 3):
            assert not _survives(VALUES[name], clean(text[:end])), text[:end]


@pytest.mark.parametrize(
    "key", [KEY, AWS, "Zk9wQ3hXb1Zt+nR5TGpHc0RaZk9wQ3hX", "kJ7hG3fD9sA1qW5eR8tY2uI6oP0zX4cV7bN1mQ3wE5r="]
)
@pytest.mark.parametrize("before", ["", "could not use ", "key=", '["', "AKIAIOSFODNN7EXAMPLE "])
def test_a_key_that_nothing_names_and_that_is_cut(before: str, key: str) -> None:
    """The beginning of a key at the end of a text is gone, however little of it is there; within a text it may be an id."""
    for end in range(10, len(key)):
        assert not _survives(key, clean(before + key[:end])), end
    assert key[:12] in clean(f"{key[:12]} was left alone")


@pytest.mark.parametrize("spelling", ["comma", "blanks", "turned pair", "next line", "form", "three quotes", "quoted"])
def test_a_tail_that_begins_anywhere(spelling: str) -> None:
    """A tail that begins before or within the secret, or within its name, shows nothing of it, and the line behind it."""
    for name in ("AccountKey", "PGPASSWORD", "token"):
        text = SURROUNDINGS[spelling].format(name=name, value=VALUES[name]) + "\nand then it failed\n"
        for start in range(1, len(text) - 20, 3):
            told = clean_tail(text[start:], limit=4096, is_cut=True)
            assert not _survives(VALUES[name], told), text[start:]
            assert told.endswith("it failed\n")


HARMLESS = [
    "the key is pressed twice", "the password is incorrect", "Password is case-sensitive", "the token is expired", "secret is missing",
    "Setting up passwd (1:4.8.1-2ubuntu2.1) ...", "Unpacking libsecret-1-0:amd64 (0.20.5-3) ...", "Get:1 http://x libsecret-1-0 amd64 0.20.5-3",
    "requests an access token from the token endpoint.", "Basic utilities.", "Basic Usage::", "url: 'http://<host>:<port>',",
    "user,host\napp,node-12345\n", "name    state\ntvm-1    idle", "key    value\nnode-17    idle", "cache key    linux-x64-node-20",
    "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8", "ETag: aB3dEf6hIj9lMn2pQr5tUv8xYz1wV4uT7sR0abcd",
    "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==", "x-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@host", "key fingerprint: aB3dEf6hIj9lMn2pQr5tUv8xYz1wV4uT7sR0abcd",
    f"text {base64.b64encode(b'this is nothing but a harmless line of text').decode()}", "/usr/lib/x86_64-linux-gnu/gconv/IBM1008_420.so",
    "com.microsoft.azure.storage.blob.CloudBlockBlob2Client", "MicrosoftAzureStorageBlobClientVersion12Beta", "_ZNSt6vectorIiSaIiEE9push_backERKi",
    "https://host/a/groups/g/sw-dev/c/aE1ZeHHCYf4", "tvmps_5f2b8c1d9e7a4036b1c2d3e4f5a6978f5f2b8c1d9e7a4036b1c2d3e4f5a6978f_d has no key", "RequestId:5f2b8c1d-9e7a-4036-b1c2-d3e4f5a6978f key not found",
    "echo done", "echo 'all is well' | tee x", '{"value": "5", "unit": "s"}', "raised JSONDecodeError", "created tvmps12aBcd", "at XmlHttpRequest2",
    "0x8D413091E739A56 is the version of the key", "X509v3 Subject Key Identifier", "secrets:\n  - name", "password:\nConnection to host1 failed", "no auth method found",
]  # fmt: skip


def test_harmless_lines_stay() -> None:
    """Sentences about keys, versions, hashes, ids, places and base64 of nothing stay as they are."""
    assert [line for line in HARMLESS if clean(line) != line] == []


@pytest.mark.parametrize(
    "word",
    ["deadbeefdeadbeef0123", "BlobNotFoundException2", "U0001d379", "0x142F0E1EBA9EA3693", "libcurl4-openssl-dev"],
)
def test_words_and_numbers_are_not_drawn(word: str) -> None:
    """Only letters of both cases and digits in quick change look drawn by chance."""
    assert not is_drawn(word)
