"""What a browser does with what it gets: cookies per site and partition, pages, forms, links."""

import json
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from requests.structures import CaseInsensitiveDict

CookiePolicy = Literal["all", "partitioned_only", "none"]
Value = str | list[str]

USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def site_of(url: str) -> str:
    """Scheme and host: two names or two addresses are two sites; ports do not count."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"


def _is_trustworthy(url: str) -> bool:
    """Where browsers accept ``Secure`` cookies: https, and http on loopback."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" or host == "localhost" or host.startswith("127.")


@dataclass
class Cookie:
    name: str
    value: str
    host: str
    path: str
    same_site: str
    partition: str


class CookieJar:
    """Cookies as a 2026 Chromium keeps them; `policy` is what it lets third parties have.

    ``all``: third-party cookies are allowed (``SameSite=None; Secure`` ones). ``partitioned_only``: only
    those that are also ``Partitioned``, as Chromium's blocking does. ``none``: not even those. Chromium's
    two-minute grace for cookies without SameSite is not granted: Safari and Firefox have none.
    """

    def __init__(self, policy: CookiePolicy) -> None:
        self.policy = policy
        self.cookies: dict[tuple[str, str, str, str], Cookie] = {}

    def store(self, header: str, url: str, top_url: str) -> None:
        """Take one ``Set-Cookie`` header of an answer from `url` shown under `top_url`, if a browser
        would.
        """
        parsed: SimpleCookie = SimpleCookie()
        # Python 3.11's parser does not know the attribute and would drop the whole cookie.
        attributes = [part.strip() for part in header.split(";")]
        is_partitioned = any(part.lower() == "partitioned" for part in attributes[1:])
        parsed.load("; ".join(part for part in attributes if part.lower() != "partitioned"))
        host = urlsplit(url).hostname or ""
        third_party = site_of(url) != site_of(top_url)
        for name, morsel in parsed.items():
            same_site = morsel["samesite"].lower() or "lax"
            secure = bool(morsel["secure"])
            refused = (
                (secure and not _is_trustworthy(url))
                or (same_site == "none" and not secure)
                or (is_partitioned and not secure)
                or (name.startswith("__Secure-") and not secure)
                or (name.startswith("__Host-") and (not secure or morsel["path"] != "/" or morsel["domain"]))
                or (third_party and same_site != "none")
                or (third_party and self.policy == "none")
                or (third_party and self.policy == "partitioned_only" and not is_partitioned)
            )
            if refused:
                continue
            partition = site_of(top_url) if is_partitioned else ""
            path = morsel["path"] or urlsplit(url).path.rpartition("/")[0] or "/"
            key = (partition, host, path, name)
            is_over = morsel["max-age"] and int(morsel["max-age"]) <= 0
            if is_over or "1970" in morsel["expires"]:
                self.cookies.pop(key, None)
            else:
                self.cookies[key] = Cookie(name, morsel.value, host, path, same_site, partition)

    def header(self, url: str, top_url: str, *, method: str, initiator: str | None) -> str:
        """The ``Cookie`` header of a request; `initiator` is the page whose form or link started it."""
        host, path = urlsplit(url).hostname, urlsplit(url).path or "/"
        third_party = site_of(url) != site_of(top_url)
        crosses = initiator is not None and site_of(initiator) != site_of(url)
        is_framed = initiator is not None and top_url != url
        sent = []
        for cookie in self.cookies.values():
            inside = path == cookie.path or path.startswith(cookie.path.rstrip("/") + "/")
            if cookie.host != host or not inside or cookie.partition not in ("", site_of(top_url)):
                continue
            if third_party and self.policy != "all" and not cookie.partition:
                continue
            if third_party and (cookie.same_site != "none" or self.policy == "none"):
                continue
            if crosses and cookie.same_site == "strict":
                continue
            # Lax cookies go along on cross-site navigations of the whole tab by GET only.
            if crosses and cookie.same_site == "lax" and (method != "GET" or is_framed):
                continue
            sent.append(f"{cookie.name}={cookie.value}")
        return "; ".join(sent)


@dataclass(frozen=True)
class Form:
    """A form of a page with the values it would send as it stands."""

    action: str
    method: str
    name: str
    target: str
    encoding: str
    fields: dict[str, Value]
    buttons: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Page:
    """What the browser shows after a navigation; `top_url` is the page of the tab it is framed in, else
    its own.
    """

    url: str
    status: int
    headers: CaseInsensitiveDict[str]
    body: bytes
    top_url: str
    history: tuple[tuple[int, str], ...] = ()
    soup: BeautifulSoup = field(
        default_factory=lambda: BeautifulSoup("", "html.parser"), repr=False, compare=False
    )

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def words(self) -> str:
        """The visible text, blanks collapsed."""
        return " ".join(self.soup.get_text(" ").split())

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_framed(self) -> bool:
        return self.url != self.top_url

    @property
    def forms(self) -> list[Form]:
        return [_form(self, element) for element in self.soup.find_all("form")]

    def form(self, which: str | int = 0) -> Form:
        """A form by its place, its name or id, or a part of its action. Raises `LookupError`."""
        forms = self.forms
        if isinstance(which, int):
            if which >= len(forms):
                raise LookupError(f"{self.url} ({self.status}) has {len(forms)} forms: {self.words[:300]}")
            return forms[which]
        for form in forms:
            if which == form.name or which in form.action:
                return form
        raise LookupError(f"no form {which!r} on {self.url} ({self.status}): {self.words[:300]}")

    def link(self, which: str) -> str:
        """The absolute URL of the first link whose text or href contains `which`. Raises `LookupError`."""
        for anchor in self.soup.find_all("a", href=True):
            if which in anchor.get_text(" ") or which in str(anchor["href"]):
                return urljoin(self.url, str(anchor["href"]))
        raise LookupError(f"no link {which!r} on {self.url} ({self.status}): {self.words[:300]}")


def _control_value(element: Tag) -> Value | None:
    """What a control sends as it stands; None when it sends nothing."""
    kind = str(element.get("type", "text")).lower()
    if element.name == "textarea":
        return element.get_text().removeprefix("\n")
    if element.name == "select":
        options = element.find_all("option")
        chosen = [o for o in options if o.has_attr("selected")] or (
            [] if element.has_attr("multiple") else options[:1]
        )
        values = [str(o.get("value", o.get_text().strip())) for o in chosen]
        return values if element.has_attr("multiple") else (values[0] if values else None)
    if kind in ("checkbox", "radio"):
        return str(element.get("value", "on")) if element.has_attr("checked") else None
    if kind in ("submit", "button", "reset", "image", "file"):
        return None
    return str(element.get("value", ""))


def _form(page: Page, element: Tag) -> Form:
    fields: dict[str, Value] = {}
    buttons: list[tuple[str, str, str]] = []
    identity = str(element.get("id", ""))
    outside = page.soup.select(f'[form="{identity}"]') if identity else []
    for control in [*element.find_all(["input", "select", "textarea", "button"]), *outside]:
        if control.has_attr("disabled"):
            continue
        name = str(control.get("name", ""))
        kind = str(control.get("type", "submit" if control.name == "button" else "text")).lower()
        if kind in ("submit", "image"):
            label = control.get_text(" ").strip() or str(control.get("value", ""))
            buttons.append((name, str(control.get("value", "")), label))
        value = _control_value(control)
        if not name or value is None:
            continue
        if name in fields and str(control.get("type", "")).lower() != "radio":
            old = fields[name]
            fields[name] = [
                *(old if isinstance(old, list) else [old]),
                *(value if isinstance(value, list) else [value]),
            ]
        else:
            fields[name] = value
    return Form(
        urljoin(page.url, str(element.get("action") or page.url)),
        str(element.get("method", "get")).upper(),
        str(element.get("name") or identity),
        str(element.get("target", "")),
        str(element.get("enctype", "application/x-www-form-urlencoded")),
        fields,
        tuple(buttons),
    )


def fetch_site(url: str, initiator: str | None) -> str:
    if initiator is None:
        return "none"
    if origin_of(url) == origin_of(initiator):
        return "same-origin"
    return "same-site" if site_of(url) == site_of(initiator) else "cross-site"
