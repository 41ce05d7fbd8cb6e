"""Driving the LMS and the tool in one process, as browsers and servers do.

`Person` is a browser with a person in front of it: it walks the whole OpenID Connect dance, keeps cookies per
site and partition, and withholds those a browser would withhold. `mount` lets the tool's outgoing
``requests`` reach the LMS; `fetch_in_process` lets the LMS read the tool's key set.
"""

import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import requests
from bs4 import BeautifulSoup, Tag
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from werkzeug.test import Client
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator.app import application
from tests.simulator.lms import Activity, Course, Lms, ToolType, User

WsgiApp = Callable[..., Iterable[bytes]]
CookiePolicy = Literal["all", "partitioned_only", "none"]
Value = str | list[str]
Tamper = Callable[[dict[str, str]], dict[str, str]]

USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _site_of(url: str) -> str:
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
        third_party = _site_of(url) != _site_of(top_url)
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
            partition = _site_of(top_url) if is_partitioned else ""
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
        third_party = _site_of(url) != _site_of(top_url)
        crosses = initiator is not None and _site_of(initiator) != _site_of(url)
        is_framed = initiator is not None and top_url != url
        sent = []
        for cookie in self.cookies.values():
            inside = path == cookie.path or path.startswith(cookie.path.rstrip("/") + "/")
            if cookie.host != host or not inside or cookie.partition not in ("", _site_of(top_url)):
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


class Person:
    """A signed-in person at a browser. Answers of the tool come back as `Page`, ready to go on from."""

    def __init__(
        self,
        lms: Lms,
        tool_app: WsgiApp,
        user: User,
        *,
        cookies: CookiePolicy = "partitioned_only",
        in_frame: bool = True,
    ) -> None:
        """`in_frame` False: the LMS opens the tool in a window of its own."""
        self.lms = lms
        self.user = user
        self.in_frame = in_frame
        self.jar = CookieJar(cookies)
        self._lms_client = Client(application(lms), use_cookies=False)
        self._tool_client = Client(tool_app, use_cookies=False)
        self.sign_in()

    def sign_in(self) -> None:
        """Get a session at the LMS, as a click on the person's name does."""
        host = urlsplit(self.lms.base_url).hostname or ""
        token = self.lms.sign_in(self.user)
        self.jar.cookies[("", host, "/", "MoodleSession")] = Cookie(
            "MoodleSession", token, host, "/", "lax", ""
        )

    @property
    def sesskey(self) -> str:
        host = urlsplit(self.lms.base_url).hostname or ""
        return self.lms.sessions[self.jar.cookies[("", host, "/", "MoodleSession")].value].sesskey

    # Navigation

    def _client(self, url: str) -> Client:
        if origin_of(url) == origin_of(self.lms.base_url):
            return self._lms_client
        tools = {origin_of(t.url) for t in self.lms.tools.values()}
        if origin_of(url) in tools:
            return self._tool_client
        raise LookupError(f"the browser was sent outside both sites: {url}")

    def _open(
        self,
        method: str,
        url: str,
        *,
        top_url: str | None,
        initiator: str | None,
        data: Any = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        history: list[tuple[int, str]] = []
        for _ in range(20):
            top = top_url or url
            sent = {
                "User-Agent": USER_AGENT,
                "Accept": "text/html,*/*;q=0.8",
                "Accept-Language": "en",
                **(headers or {}),
            }
            cookie = self.jar.header(url, top, method=method, initiator=initiator)
            if cookie:
                sent["Cookie"] = cookie
            if initiator and method == "POST":
                sent["Origin"] = origin_of(initiator)
            sent["Sec-Fetch-Mode"] = "navigate"
            sent["Sec-Fetch-Dest"] = "iframe" if top_url and top_url != url else "document"
            sent["Sec-Fetch-Site"] = _fetch_site(url, initiator)
            parts = urlsplit(url)
            response: WerkzeugResponse = self._client(url).open(
                parts.path or "/",
                query_string=parts.query,
                base_url=origin_of(url),
                method=method,
                data=data,
                content_type=content_type,
                headers=sent,
            )
            for header in response.headers.getlist("Set-Cookie"):
                self.jar.store(header, url, top)
            if response.status_code in (301, 302, 303, 307, 308) and "Location" in response.headers:
                history.append((response.status_code, url))
                url = urljoin(url, response.headers["Location"]).split("#")[0]
                if response.status_code not in (307, 308):
                    method, data, content_type = "GET", None, None
                continue
            return self._page(response, url, top, tuple(history))
        raise LookupError(f"too many redirects, last to {url}")

    @staticmethod
    def _page(response: WerkzeugResponse, url: str, top: str, history: tuple[tuple[int, str], ...]) -> Page:
        is_html = "html" in response.headers.get("Content-Type", "")
        body = response.get_data()
        soup = BeautifulSoup(body.decode("utf-8", "replace") if is_html else "", "html.parser")
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict(response.headers.items())
        return Page(url, response.status_code, headers, body, top, history, soup)

    def get(self, url: str, *, page: Page | None = None, headers: Mapping[str, str] | None = None) -> Page:
        """Open a URL: in a tab of its own, or from `page` and in its frame. A path is one of the LMS."""
        target = urljoin(page.url if page else self.lms.base_url, url)
        top = page.top_url if page and page.is_framed else None
        return self._open("GET", target, top_url=top, initiator=page.url if page else None, headers=headers)

    def follow(self, page: Page, which: str) -> Page:
        """Click the link whose text or address contains `which`."""
        return self.get(page.link(which), page=page)

    def submit(
        self,
        page: Page,
        fields: Mapping[str, Value | None] | None = None,
        *,
        form: str | int | Form = 0,
        button: str | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> Page:
        """Fill in and send a form. `fields` override what stands there (None takes a field out).

        `button` is the label, name or value of the button pressed; without it the first one is.
        """
        chosen = form if isinstance(form, Form) else page.form(form)
        values: dict[str, Value] = dict(chosen.fields)
        for name, value in (fields or {}).items():
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        pressed = [b for b in chosen.buttons if button is None or button in b]
        if button is not None and not pressed:
            raise LookupError(f"no button {button!r} among {chosen.buttons}")
        if pressed and pressed[0][0]:
            values[pressed[0][0]] = pressed[0][1]
        top = page.top_url if page.is_framed and chosen.target not in ("_top", "_blank") else None
        if chosen.method == "GET":
            pairs = [
                (n, v) for n, value in values.items() for v in (value if isinstance(value, list) else [value])
            ]
            prepared = requests.Request("GET", chosen.action.split("?")[0], params=pairs).prepare()
            return self._open("GET", prepared.url or chosen.action, top_url=top, initiator=page.url)
        data: dict[str, Any] = dict(values)
        for name, (filename, content, media_type) in (files or {}).items():
            data[name] = (io.BytesIO(content), filename, media_type)
        multipart = bool(files) or chosen.encoding == "multipart/form-data"
        content_type = "multipart/form-data" if multipart else "application/x-www-form-urlencoded"
        return self._open(
            "POST", chosen.action, top_url=top, initiator=page.url, data=data, content_type=content_type
        )

    # Launches

    def _dance(self, page: Page, tamper: Tamper | None) -> Page:
        """From the LMS's page that opens the login to whatever the tool shows (or who refuses)."""
        if page.status != 200 or not page.forms or page.forms[0].name != "ltiInitiateLoginForm":
            return page
        page = self._settle(self.submit(page))
        if origin_of(page.url) != origin_of(self.lms.base_url) or page.status != 200 or not page.forms:
            return page
        form = page.form("ltiAuthForm")
        fields = {name: str(value) for name, value in form.fields.items()}
        if tamper is not None:
            fields = tamper(fields)
        removed: dict[str, Value | None] = dict.fromkeys(form.fields)
        return self.submit(page, removed | dict(fields.items()), form=form)

    def _settle(self, page: Page) -> Page:
        """Let Moodle's repost page do its work."""
        is_lms = origin_of(page.url) == origin_of(self.lms.base_url)
        if is_lms and page.status == 200 and page.forms and page.forms[0].name == "repost":
            return self.submit(page)
        return page

    def _frame(self, url: str, host_page: str) -> Page:
        top = host_page if self.in_frame else None
        return self._open("GET", url, top_url=top, initiator=host_page)

    def launch(self, cmid: int, *, tamper: Tamper | None = None) -> Page:
        """Open an LTI activity; `tamper` may change the fields the platform posts to the tool (attacks)."""
        host_page = f"{self.lms.base_url}/mod/lti/view.php?id={cmid}"
        return self._dance(
            self._frame(f"{self.lms.base_url}/mod/lti/launch.php?id={cmid}&triggerview=0", host_page), tamper
        )

    def initiate(self, cmid: int) -> tuple[Page, Form]:
        """Stop before the login: the LMS's page and its form, for tests of the login itself."""
        page = self._frame(
            f"{self.lms.base_url}/mod/lti/launch.php?id={cmid}&triggerview=0",
            f"{self.lms.base_url}/mod/lti/view.php?id={cmid}",
        )
        return page, page.form("ltiInitiateLoginForm")

    def deep_link(
        self, course: Course, *, tool: ToolType | None = None, tamper: Tamper | None = None
    ) -> Page:
        """ "Select content" in the activity form of the (first) tool; returns the tool's picker."""
        chosen = tool or next(iter(self.lms.tools.values()))
        base = self.lms.base_url
        host_page = (
            f"{base}/course/modedit.php?add=lti&course={course.id}&section=0&return=0&typeid={chosen.id}"
        )
        url = f"{base}/mod/lti/contentitem.php?id={chosen.id}&course={course.id}&sesskey={self.sesskey}"
        return self._dance(self._frame(url, host_page), tamper)

    def return_selected(self, page: Page) -> Page:
        """Send the tool's deep linking response to the LMS; the form the LMS fills is in the page, nothing
        is saved.
        """
        form = page.form("contentitem_return.php")
        return self._settle(self.submit(page, form=form))

    def save_selected(self, page: Page) -> list[Activity]:
        """Return the selection and press "Save and return to course"; gives the activities that came into
        being.
        """
        returned = self.return_selected(page)
        data = returned.soup.find(id="contentitem-return")
        if returned.status != 200 or data is None:
            raise LookupError(f"the LMS refused the selection ({returned.status}): {returned.words[:500]}")
        selected = json.loads(data.get_text())
        if selected is None:
            return []
        before = set(self.lms.activities)
        editor = self.get(page.top_url)
        for one in selected.get("multiple", [selected]):
            fields = _flat(one)
            saved = self.submit(editor, fields, form="modedit", button="Save and return to course")
            if saved.status != 200:
                raise LookupError(f"saving failed ({saved.status}): {saved.words[:500]}")
        return [activity for cmid, activity in self.lms.activities.items() if cmid not in before]


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    """The names of form fields for returned values, as Moodle's script fills them in; the type stays the
    form's.
    """
    fields: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            fields |= {f"{name}[{part}]": str(inner) for part, inner in value.items()}
        elif name != "typeid":
            fields[name] = str(value)
    return fields


def _fetch_site(url: str, initiator: str | None) -> str:
    if initiator is None:
        return "none"
    if origin_of(url) == origin_of(initiator):
        return "same-origin"
    return "same-site" if _site_of(url) == _site_of(initiator) else "cross-site"


class WsgiAdapter(BaseAdapter):
    """Serves ``requests`` calls by a WSGI application, the headers arriving byte for byte as over a
    socket.
    """

    def __init__(self, app: WsgiApp) -> None:
        super().__init__()
        self._client = Client(app, use_cookies=False)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        parts = urlsplit(request.url or "")
        answer: WerkzeugResponse = self._client.open(
            parts.path or "/",
            query_string=parts.query,
            base_url=f"{parts.scheme}://{parts.netloc}",
            method=request.method or "GET",
            data=request.body,
            headers=list(request.headers.items()),
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.reason = answer.status.partition(" ")[2]
        response.headers = CaseInsensitiveDict(answer.headers.items())
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = io.BytesIO(b"" if request.method == "HEAD" else answer.get_data())
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Nothing stays open."""


def mount(lms: Lms) -> BaseAdapter:
    """An adapter for the tool's session: ``session.mount(lms.base_url, mount(lms))``."""
    return WsgiAdapter(application(lms))


def fetch_in_process(tool_app: WsgiApp) -> Callable[[str], bytes]:
    """What to hand to ``Lms(fetch=...)`` so that it reads the tool's key set in process.

    Raises `requests.HTTPError` (an `OSError`) on an answer that is no success.
    """
    session = requests.Session()
    adapter = WsgiAdapter(tool_app)
    session.mount("http://", adapter)
    session.mount("https://", adapter)

    def fetch(url: str) -> bytes:
        answer = session.get(url, headers={"User-Agent": "MoodleBot/4.4"})
        answer.raise_for_status()
        return answer.content

    return fetch
