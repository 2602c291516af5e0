"""Owns how `WEBHOOK_URL`, `WEBHOOK_SECRET` and the JSON of `WEBHOOKS` become webhooks.

It reads from the environment that it is given. What a format asks for, the format says (`messages.format`).
"""

import json
import re
from collections import Counter

from msgspec import Struct
from msgspec.structs import replace

from shared.messages.format import JSON_TYPE, Format
from shared.messages.format_table import DEFAULT, FORMATS
from shared.messages.signing import decode_secret
from shared.settings.address import HttpAddress, parse_address
from shared.settings.reader import InvalidValueError, SettingReader
from shared.webhook import EVENT_TYPE_PREFIX, EVERYTHING, Webhook

DEFAULT_NAME = "default"
MAX_WEBHOOKS = 20
_RETIRED = (".webhook.office.com", ".outlook.office.com", ".outlook.office365.com")

_FILTERS = ("events", "jobs", "accounts", "pools")
MEMBERS = {
    *("name", "format", "url", "urlSetting", "secrets", "secretSettings", "keySetting"),
    *("contentType", "enabled"),
    *_FILTERS,
}
_NAME = re.compile(r"[a-z0-9-]{1,40}")
_MEMBER_NAME = re.compile(r"[A-Za-z_]{1,20}")
# Short words only: a secret that was put in the place of the setting's name is then never repeated.
_SETTING_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,19}(_{1,2}[A-Za-z0-9]{1,20})*")
_GLOB = re.compile(r"[A-Za-z0-9_.:*?\[\]-]{1,256}")
_JSON_TYPE = re.compile(r"application/([a-z0-9.-]+\+)?json(; ?charset=utf-8)?", re.IGNORECASE)
_KEY = re.compile(r"[!-~]{1,256}")


def load_webhooks(reader: SettingReader, *, allow_http: bool) -> tuple[Webhook, ...]:
    """The usable webhooks, first the one named `default`; what is wrong with the others stays with the reader."""
    single = _single_webhook(reader, allow_http=allow_http)
    listed = _listed_objects(reader)
    several = [
        _Object(reader=reader, path=f"WEBHOOKS[{index}]", members=members).webhook(allow_http=allow_http)
        for index, members in enumerate(listed)
    ]
    names = Counter(str(members["name"]) for members in listed if "name" in members)
    if reader.given("WEBHOOK_URL"):
        names[DEFAULT_NAME] += 1
    if any(count > 1 for count in names.values()):
        reader.refuse(
            "WEBHOOKS", "has a name twice", f"give each webhook its own name; WEBHOOK_URL's is {DEFAULT_NAME}"
        )
    return tuple(webhook for webhook in (single, *several) if webhook is not None)


def _single_webhook(reader: SettingReader, *, allow_http: bool) -> Webhook | None:
    if not reader.given("WEBHOOK_URL"):
        if reader.given("WEBHOOK_SECRET"):
            reader.refuse("WEBHOOK_URL", "is missing beside WEBHOOK_SECRET", "set both, or neither")
        return None
    if not reader.given("WEBHOOK_SECRET"):
        reader.refuse(
            "WEBHOOK_SECRET", "is missing beside WEBHOOK_URL", "set it: every event to this webhook is signed"
        )
    webhook = Webhook(name=DEFAULT_NAME, format=DEFAULT.name, url="", content_type=DEFAULT.content_type)
    if waits_for := reader.waits_for("WEBHOOK_URL", "WEBHOOK_SECRET"):
        return replace(webhook, waits_for=waits_for)
    address = reader.optional("WEBHOOK_URL", lambda text: _address(text, DEFAULT, allow_http=allow_http))
    secret = reader.optional("WEBHOOK_SECRET", _secret)
    return replace(webhook, url=address.url, secrets=(secret,)) if address and secret else None


def _listed_objects(reader: SettingReader) -> list[dict[str, object]]:
    mend = 'write a JSON array of objects, for example [{"name":"ops","format":"slack","urlSetting":"OPS_URL"}]'
    text = reader.text("WEBHOOKS")
    if text is None:
        return []
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        reader.refuse("WEBHOOKS", "is not JSON", mend)
        return []
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        reader.refuse("WEBHOOKS", "is not an array of objects", mend)
        return []
    if len(listed) > MAX_WEBHOOKS:
        reader.refuse("WEBHOOKS", f"has {len(listed)} webhooks", f"leave at most {MAX_WEBHOOKS}")
    return listed


class _Object(Struct, frozen=True, kw_only=True):
    """One object of the array, with the way to it for the problems found in it."""

    reader: SettingReader
    path: str
    members: dict[str, object]

    def webhook(self, *, allow_http: bool) -> Webhook | None:
        """The webhook, or None when the object has any problem."""
        problems_before = len(self.reader.problems)
        self._refuse_unknown_members()
        name = self._name()
        kind = self._format()
        filters = {member: self._filter(member) for member in _FILTERS}
        enabled = self._enabled()
        if kind is None:
            return None
        address = self._address(kind, allow_http=allow_http)
        secrets = self._secrets(kind)
        key = self._key(kind, address)
        waits_for = self.reader.waits_for(*self._named_settings())
        content_type = self._content_type(kind)
        if len(self.reader.problems) > problems_before:
            return None
        url = address.url if address else ""
        return Webhook(
            name=name, format=kind.name, url=url, secrets=secrets, key=key, content_type=content_type, enabled=enabled,
            waits_for=waits_for, **filters,
        )  # fmt: skip

    def _refuse(self, member: str, wrong: str, mend: str) -> None:
        self.reader.refuse(f"{self.path}.{member}" if member else self.path, wrong, mend)

    def _refuse_unknown_members(self) -> None:
        for member in self.members.keys() - MEMBERS:
            shown = member if _MEMBER_NAME.fullmatch(member) else "(a name that is not shown)"
            self._refuse(shown, "is unknown", f"use only {', '.join(sorted(MEMBERS))}")

    def _name(self) -> str:
        name = self.members.get("name")
        if isinstance(name, str) and _NAME.fullmatch(name):
            return name
        self._refuse("name", "is missing or unusable", "write 1 to 40 of a-z, 0-9 and -")
        return ""

    def _format(self) -> Format | None:
        name = self.members.get("format", DEFAULT.name)
        if isinstance(name, str) and name in FORMATS:
            return FORMATS[name]
        self._refuse("format", "is unknown", f"write one of {', '.join(FORMATS)}")
        return None

    def _filter(self, member: str) -> tuple[str, ...]:
        globs = self._strings(member) if member in self.members else EVERYTHING
        if globs is None:
            return EVERYTHING
        if not all(_GLOB.fullmatch(glob) for glob in globs):
            self._refuse(member, "has a pattern that matches nothing", "use letters, digits, _ . : - and * and ?")
        return tuple(glob.removeprefix(EVENT_TYPE_PREFIX) for glob in globs) if member == "events" else globs

    def _enabled(self) -> bool:
        enabled = self.members.get("enabled", True)
        if not isinstance(enabled, bool):
            self._refuse("enabled", "is neither on nor off", "write true or false, without quotes")
        return enabled is True

    def _address(self, kind: Format, *, allow_http: bool) -> HttpAddress | None:
        chosen = self.members.keys() & {"url", "urlSetting"}
        if not chosen and kind.address is not None:
            return parse_address(kind.address)
        if len(chosen) != 1:
            self._refuse("", "needs either url or urlSetting", "write one of them")
            return None
        if "urlSetting" in chosen:
            where, text = self._named_setting("urlSetting", self.members["urlSetting"])
        else:
            where, text = f"{self.path}.url", self._url()
        if text is None:
            return None
        return self.reader.parsed(where, text, lambda url: _address(url, kind, allow_http=allow_http))

    def _secrets(self, kind: Format) -> tuple[bytes, ...]:
        chosen = sorted(self.members.keys() & {"secrets", "secretSettings"})
        if not kind.is_signed:
            if chosen:
                self._refuse(chosen[0], f"has no use with {kind.name}, which is not signed", "leave it out")
            return ()
        if len(chosen) != 1:
            self._refuse("", "needs either secrets or secretSettings", "write one of them: every event is signed")
            return ()
        (member,) = chosen
        texts: list[tuple[str, str | None]] = [
            (f"{self.path}.{member}[{index}]", text.strip())
            if member == "secrets"
            else self._named_setting(f"{member}[{index}]", text)
            for index, text in enumerate(self._strings(member) or ())
        ]
        secrets = [self.reader.parsed(where, text, _secret) for where, text in texts if text is not None]
        return tuple(secret for secret in secrets if secret is not None)

    def _key(self, kind: Format, address: HttpAddress | None) -> str | None:
        if "keySetting" not in self.members:
            missing = kind.without_key(address.url if address else None) if kind.without_key else None
            if missing is not None:
                self._refuse("keySetting", missing.wrong, missing.mend)
            return None
        if kind.without_key is None:
            self._refuse("keySetting", f"has no use with {kind.name}", "leave it out")
            return None
        where, text = self._named_setting("keySetting", self.members["keySetting"])
        return None if text is None else self.reader.parsed(where, text, _key)

    def _content_type(self, kind: Format) -> str:
        default = kind.content_type
        chosen = self.members.get("contentType", default)
        if chosen != default and not kind.chooses_content_type:
            self._refuse("contentType", f"is fixed with {kind.name}", "leave it out")
        elif not isinstance(chosen, str) or _JSON_TYPE.fullmatch(chosen) is None:
            self._refuse("contentType", "is not a JSON media type", f"write {default} or {JSON_TYPE}")
        else:
            return chosen
        return default

    def _url(self) -> str | None:
        url = self.members["url"]
        if not isinstance(url, str):
            self._refuse("url", "is not text", "write it in quotes")
        elif not url.strip():
            self._refuse("url", "is empty", "write the address, or the name of its app setting as urlSetting")
        else:
            return url.strip()
        return None

    def _strings(self, member: str) -> tuple[str, ...] | None:
        items = self.members.get(member)
        if isinstance(items, list) and items and all(isinstance(item, str) and item.strip() for item in items):
            return tuple(items)
        self._refuse(member, "is not a list of texts", "write a JSON array with at least one text")
        return None

    def _named_settings(self) -> list[str]:
        """The app settings that members name."""
        named = [self.members.get("urlSetting"), self.members.get("keySetting")]
        several = self.members.get("secretSettings")
        named += several if isinstance(several, list) else []
        return [name for name in named if isinstance(name, str)]

    def _named_setting(self, member: str, name: object) -> tuple[str, str | None]:
        """The name and text of the app setting that a member names; None after a problem, and while it must wait."""
        if not isinstance(name, str) or _SETTING_NAME.fullmatch(name) is None:
            mend = "write its name: words of at most 20 letters and digits, joined by _"
            self._refuse(member, "does not name an app setting", mend)
            return member, None
        if not self.reader.given(name):
            self._refuse(member, f"names the app setting {name}, which is missing", f"set {name}")
        return name, None if self.reader.waits_for(name) else self.reader.text(name)


def _address(text: str, kind: Format, *, allow_http: bool) -> HttpAddress:
    address = parse_address(text, allow_query=True, allow_http=allow_http)
    if address.origin.startswith("http:") and not allow_http:
        raise InvalidValueError("is http", "write https://, or set WEBHOOK_ALLOW_HTTP=true for local use")
    if f".{address.name}".endswith(_RETIRED):
        mend = "choose Workflows at the channel, post when a webhook request is received, and set the URL that it gives"
        raise InvalidValueError("is of an Office 365 connector, a service that Microsoft has retired", mend)
    for other in FORMATS.values():
        if address.name in other.hosts and other is not kind:
            wrong = f"is {other.name}'s address, where nothing of the format {kind.name} is taken"
            raise InvalidValueError(wrong, f"put it into WEBHOOKS with the format {other.name}")
    return address


def _secret(text: str) -> bytes:
    try:
        return decode_secret(text)
    except ValueError:
        wrong, mend = "is not a signing secret", "write whsec_ and the base64 of 24 to 64 random bytes"
        raise InvalidValueError(wrong, mend) from None


def _key(text: str) -> str:
    if _KEY.fullmatch(text) is None:
        raise InvalidValueError("is not a key", "copy it again, without white space")
    return text
