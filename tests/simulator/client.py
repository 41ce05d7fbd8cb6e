"""Driving the LMS and the tool in one process, as browsers and servers do.

`Person` is a browser with a person in front of it: it walks the whole OpenID Connect dance and keeps and
withholds cookies as a browser would (`browser`). `mount` lets the tool's outgoing ``requests`` reach the LMS;
`fetch_in_process` lets the LMS read the tool's key set.
"""

import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from bs4 import BeautifulSoup, Tag
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from werkzeug.test import Client
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator.app import applications
from tests.simulator.browser import (
    USER_AGENT,
    Cookie,
    CookieJar,
    CookiePolicy,
    Form,
    Page,
    Value,
    fetch_site,
    origin_of,
)
from tests.simulator.lms import Activity, Course, Lms, Opening, Session, ToolType, User

WsgiApp = Callable[..., Iterable[bytes]]
Tamper = Callable[[dict[str, str]], dict[str, str]]

LOGIN_FORM, AUTH_FORM = "ltiInitiateLoginForm", "ltiAuthForm"
"""Names of the forms that open a login at the tool, and that bring it the id_token."""


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
        self.storage: dict[str, str] = {}
        """What tools left in the platform's storage (LTI Platform Storage)."""
        self._clients = {
            origin_of(url): Client(app, use_cookies=False) for url, app in applications(lms).items()
        }
        self._tool_client = Client(tool_app, use_cookies=False)
        self.sign_in()

    def sign_in(self) -> None:
        """Get a session at the LMS, as a click on the person's name does."""
        host = urlsplit(self.lms.base_url).hostname or ""
        token = self.lms.sign_in(self.user)
        name, same_site = self.lms.session_cookie, self.lms.session_same_site.lower()
        self.jar.cookies[("", host, "/", name)] = Cookie(name, token, host, "/", same_site, "")

    @property
    def session(self) -> Session:
        """What the LMS remembers of this browser."""
        host = urlsplit(self.lms.base_url).hostname or ""
        return self.lms.sessions[self.jar.cookies[("", host, "/", self.lms.session_cookie)].value]

    # Navigation

    def _client(self, url: str) -> Client:
        if origin_of(url) in self._clients:
            return self._clients[origin_of(url)]
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
            sent["Sec-Fetch-Site"] = fetch_site(url, initiator)
            parts = urlsplit(url)
            response: WerkzeugResponse = self._client(url).open(
                parts.path or "/",
                query_string=parts.query,
                base_url=origin_of(url),
                method=method,
                data=data,
                content_type=content_type,
                headers=sent,
                # Read to its end and closed, as a server does with every answer.
                buffered=True,
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

    def to_form(self, page: Page) -> Page:
        """The form of a new badge: where there is nothing else to choose, deep linking opens it itself."""
        if any("micromodules/new" in form.action for form in page.forms):
            return page
        return self.follow(page, "micromodules/new")

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
        if chosen.target and page.soup.find("iframe", attrs={"name": chosen.target}) and self.in_frame:
            top = page.top_url
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
        if page.status != 200 or not page.forms or page.forms[0].name != LOGIN_FORM:
            return page
        page = self._settle(self._leave_in_storage(self.submit(page)))
        if page.status != 200 or not page.forms or page.forms[0].name != AUTH_FORM:
            return page
        form = page.form(AUTH_FORM)
        fields = {name: str(value) for name, value in form.fields.items()}
        if tamper is not None:
            fields = tamper(fields)
        removed: dict[str, Value | None] = dict.fromkeys(form.fields)
        return self._read_storage(self.submit(page, removed | dict(fields.items()), form=form))

    def _settle(self, page: Page) -> Page:
        """Let Moodle's repost page do its work."""
        is_lms = origin_of(page.url) == origin_of(self.lms.base_url)
        if is_lms and page.status == 200 and page.forms and page.forms[0].name == "repost":
            return self.submit(page)
        return page

    def _storage_answers(self, page: Page, asked: Mapping[str, Any]) -> bool:
        """Whether the platform's storage hears a question of this page: right frame, right origin."""
        where = (asked["data-storage-origin"], asked["data-storage-target"])
        return page.is_framed and where == self.lms.storage_frame

    def _leave_in_storage(self, page: Page) -> Page:
        """What the script of the tool's login page does: put its secret there, then go on."""
        link = page.soup.find("a", id="continue", attrs={"data-storage-key": True})
        if not isinstance(link, Tag):
            return page
        if self._storage_answers(page, link.attrs):
            self.storage[str(link["data-storage-key"])] = str(link["data-storage-value"])
        return self.get(str(link["href"]), page=page)

    def _read_storage(self, page: Page) -> Page:
        """What the script of the tool's launch page does, where no cookie came: read the secret back."""
        form = page.soup.find("form", id="launch", attrs={"data-storage-key": True})
        if not isinstance(form, Tag):
            return page
        answers = self._storage_answers(page, form.attrs)
        value = self.storage.get(str(form["data-storage-key"]), "") if answers else ""
        return self.submit(page, {"storage_value": value}, form="launch")

    def _open_tool(self, opening: Opening) -> Page:
        """The page whose form opens the login: the host page's own, or one inside its frame."""
        if opening.frame_url is None:
            return self.get(opening.host_page)
        top = opening.host_page if self.in_frame else None
        return self._open("GET", opening.frame_url, top_url=top, initiator=opening.host_page)

    def launch(self, cmid: int, *, tamper: Tamper | None = None) -> Page:
        """Open an LTI activity; `tamper` may change the fields the platform posts to the tool (attacks)."""
        return self._dance(self._open_tool(self.lms.opening_of_link(self.lms.activities[cmid])), tamper)

    def review(self, activity: Activity, user: User, *, tamper: Tamper | None = None) -> Page:
        """Open one learner's work out of Moodle's gradebook ("Grade analysis")."""
        page = self.get(f"/mod/lti/grade.php?id={activity.id}&userid={user.id}")
        frame = page.soup.find("iframe", id="contentframe")
        if not isinstance(frame, Tag):
            return page
        opening = Opening(page.url, urljoin(page.url, str(frame["src"])))
        return self._dance(self._open_tool(opening), tamper)

    def open(self, path: str, *, tamper: Tamper | None = None) -> Page:
        """Open a page of the LMS that shows a tool by itself (Canvas: course navigation)."""
        return self._dance(self.get(path), tamper)

    def initiate(self, cmid: int) -> tuple[Page, Form]:
        """Stop before the login: the LMS's page and its form, for tests of the login itself."""
        page = self._open_tool(self.lms.opening_of_link(self.lms.activities[cmid]))
        return page, page.form(LOGIN_FORM)

    def deep_link(
        self,
        course: Course,
        *,
        tool: ToolType | None = None,
        placement: str | None = None,
        tamper: Tamper | None = None,
    ) -> Page:
        """The tool's picker, as it opens where content is added; `placement` is one of Canvas's."""
        chosen = tool or next(iter(self.lms.tools.values()))
        opening = self.lms.opening_of_selection(course, chosen, self.session, placement)
        return self._dance(self._open_tool(opening), tamper)

    def change_link(self, activity: Activity, *, tamper: Tamper | None = None) -> Page:
        """The tool's picker, as it opens where a teacher changes the link of an assignment (Canvas)."""
        tool = self.lms.tools[activity.tool_type_id or 0]
        return self._dance(self._open_tool(self.lms.opening_of_change(activity, tool)), tamper)

    def return_selected(self, page: Page) -> Page:
        """Send the tool's deep linking response to the LMS, which has saved nothing yet."""
        form = page.form(self.lms.selection_path)
        return self._settle(self.submit(page, form=form))

    def save_selected(self, page: Page) -> list[Activity]:
        """Return the selection and save it as the teacher does; gives the activities that came into being.

        Raises `LookupError` where the LMS refuses it.
        """
        before = set(self.lms.activities)
        returned = self.return_selected(page)
        _SAVE[self.lms.product](self, page, returned)
        return [activity for cmid, activity in self.lms.activities.items() if cmid not in before]


def _save_in_moodle(person: Person, page: Page, returned: Page) -> None:
    """The activity form is filled from the selection; "Save and return to course" makes the activity."""
    data = returned.soup.find(id="contentitem-return")
    if returned.status != 200 or data is None:
        raise LookupError(f"the LMS refused the selection ({returned.status}): {returned.words[:500]}")
    selected = json.loads(data.get_text())
    if selected is None:
        return
    editor = person.get(page.top_url)
    for one in selected.get("multiple", [selected]):
        saved = person.submit(editor, _flat(one), form="modedit", button="Save and return to course")
        if saved.status != 200:
            raise LookupError(f"saving failed ({saved.status}): {saved.words[:500]}")


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


def _save_in_canvas(person: Person, page: Page, returned: Page) -> None:
    """The page around the dialogue takes the items; some placements have made everything already."""
    data = returned.soup.find(id="deep-link-response")
    if returned.status != 200 or data is None:
        raise LookupError(f"the LMS refused the selection ({returned.status}): {returned.words[:500]}")
    answer = json.loads(data.get_text())
    if answer["reloadpage"]:
        return
    for item in answer["content_items"]:
        editor = person.get(page.top_url)
        fields = {
            "item": json.dumps(item),
            "tool_id": str(answer["tool_id"]),
            "placement": answer["placement"],
        }
        saved = person.submit(editor, {**fields, "name": item.get("title", "")}, form="link")
        if saved.status != 200:
            raise LookupError(f"saving failed ({saved.status}): {saved.words[:500]}")


_SAVE: dict[str, Callable[[Person, Page, Page], None]] = {
    "moodle": _save_in_moodle,
    "canvas": _save_in_canvas,
}


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


def mounts(lms: Lms) -> dict[str, BaseAdapter]:
    """Adapters for the tool's session, by the URL they stand for."""
    return {url: WsgiAdapter(app) for url, app in applications(lms).items()}


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
