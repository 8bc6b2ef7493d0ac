"""Takes secrets out of text, for logs and tracebacks.

Two ways, both always: the values that were registered, in the forms in which they travel (as they are,
URL-quoted, JSON-escaped, base64); and the names under which secrets travel (`signature=`, `X-MBX-APIKEY`,
`"listenKey"`, ...), for values that nobody registered.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import threading
from urllib.parse import quote, quote_plus

MASK = "********"

SUBSTRING_CHARS_MIN = 8
"""Shorter values are taken out only where they stand alone, else they would eat parts of ordinary words."""

WORD_CHARS_MIN = 4
"""Still shorter values are not taken out at all: no log would be readable."""

_UNMISTAKABLE = (
    r"signature|listen[-_]?key|api[-_]?key|api[-_]?secret|secret[-_]?key|x-mbx-apikey|x-bapi-(?:api-key|sign)"
    r"|(?:ok-)?access-(?:key|sign|passphrase)|authorization"
)
_ALSO_WORDS = r"secret|pass(?:phrase|word)|sign|token|(?:set-)?cookie"  # "secret: ..." may be prose
_QUOTE = r"\\*[\"']"
_NAMED = re.compile(
    rf"(?P<name>(?<![A-Za-z0-9])(?>"
    rf"(?:{_UNMISTAKABLE})(?:{_QUOTE})?\s*[=:]\s*(?:b?{_QUOTE})?"  # X-MBX-APIKEY: v, signature=v, "apiKey": "v"
    rf"|(?:{_ALSO_WORDS})(?:=(?:b?{_QUOTE})?|\s*=\s*b?{_QUOTE}|{_QUOTE}\s*[:=]\s*(?:b?{_QUOTE})?)"
    rf"|(?:{_UNMISTAKABLE}|{_ALSO_WORDS}){_QUOTE},\s*b?{_QUOTE}"  # ('apiKey', 'v')
    rf"))(?!{re.escape(MASK)}|None\b|null\b|Secret\()(?:(?:Bearer|Basic)\s+)?[^\s\"'\\&,;)}}\]]+",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(rf"{_UNMISTAKABLE}|{_ALSO_WORDS}", re.IGNORECASE)
# A user stream's listen key stands in the path or query of its URL without a name.
_LISTEN_KEY_URL = re.compile(r"(?P<name>/ws/|[?&/]streams=)[A-Za-z0-9_-]{40,}")
_PEM = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)

_values: frozenset[str] = frozenset()
_lock = threading.Lock()


def register(value: str) -> None:
    """Take `value` out of every text that `redact` sees from now on."""
    global _values  # noqa: PLW0603 - one registry per process: a secret is secret everywhere
    forms = {form for form in _forms(value) if len(form) >= WORD_CHARS_MIN}
    with _lock:
        _values |= forms


def redact(text: str) -> str:
    """Return `text` with registered values, and values under secret names, replaced by the mask."""
    values = _values
    if values:
        text = _pattern_of_all(values).sub(MASK, text)
    text = _PEM.sub(rf"\1{MASK}\2", text)
    text = _NAMED.sub(rf"\g<name>{MASK}", text)
    return _LISTEN_KEY_URL.sub(rf"\g<name>{MASK}", text)


def redact_field(name: str, value: object) -> str:
    """Return the text of `value` redacted; of a value under a secret name only the mask."""
    return MASK if _SECRET_NAME.fullmatch(name) else redact(str(value))


@functools.lru_cache(maxsize=2)
def _pattern_of_all(values: frozenset[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(_pattern, sorted(values, key=len, reverse=True))))


def _forms(value: str) -> set[str]:
    raw = value.encode(errors="surrogatepass")
    forms = {value, quote(raw, safe=""), quote_plus(raw), quote(raw)}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(str(value))[1:-1]}
    if len(value) >= SUBSTRING_CHARS_MIN:
        forms.add(base64.b64encode(raw).decode().rstrip("="))
    lines = value.split()
    if len(lines) > 1:  # a PEM key is also secret line by line
        forms |= {line for line in lines if len(line) >= 2 * SUBSTRING_CHARS_MIN and "-----" not in line}
    return forms


def _pattern(value: str) -> str:
    text = re.escape(value)
    return text if len(value) >= SUBSTRING_CHARS_MIN else rf"(?<![A-Za-z0-9]){text}(?![A-Za-z0-9])"
