"""What stands beside the tool: small applications that do the same for the eye, and nothing more.

Each is a factory for granian and reads what it needs from environment variables ``BENCH_…``. None is
slowed down: keys are read once, templates are compiled once, nothing is fetched per launch.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask, Response, make_response, redirect, request, session
from joserfc import jwt
from joserfc.jwk import KeySet
from pylti1p3.contrib.flask.message_launch import FlaskMessageLaunch
from pylti1p3.contrib.flask.oidc_login import FlaskOIDCLogin
from pylti1p3.contrib.flask.request import FlaskRequest
from pylti1p3.tool_config.dict import ToolConfDict
from werkzeug.wrappers import Response as AnyResponse

SECRET = b"only for measuring, and as long as it has to be"


def bare_launch() -> Flask:
    """The ceiling: both steps of a launch with a signed state cookie, verified by joserfc; no database."""
    app = Flask("bare")
    app.secret_key = SECRET
    keys = KeySet.import_key_set(json.loads(os.environ["BENCH_JWKS"]))
    issuer, client_id = os.environ["BENCH_ISSUER"], os.environ["BENCH_CLIENT"]
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer}, aud={"essential": True, "value": client_id}
    )

    def sealed(text: str) -> str:
        return (
            f"{text}.{base64.urlsafe_b64encode(hmac.digest(SECRET, text.encode(), hashlib.sha256)).decode()}"
        )

    @app.post("/lti/login")
    def login() -> AnyResponse:
        state, nonce = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        query = urlencode(
            {
                "scope": "openid",
                "response_type": "id_token",
                "response_mode": "form_post",
                "prompt": "none",
                "client_id": client_id,
                "redirect_uri": request.form["target_link_uri"],
                "login_hint": request.form["login_hint"],
                "lti_message_hint": request.form["lti_message_hint"],
                "state": state,
                "nonce": nonce,
            }
        )
        response = redirect(f"{issuer}/auth?{query}")
        response.set_cookie(f"state-{state}", sealed(nonce), httponly=True, secure=True, samesite="None")
        return response

    @app.post("/lti/launch")
    def launch() -> AnyResponse:
        kept = request.cookies[f"state-{request.form['state']}"]
        nonce = kept.partition(".")[0]
        token = jwt.decode(request.form["id_token"], keys, algorithms=["RS256"])
        claims.validate(token.claims)
        if not hmac.compare_digest(kept, sealed(nonce)) or token.claims["nonce"] != nonce:
            return Response("refused", 400)
        session["sub"] = token.claims["sub"]
        return redirect("/wallet", 303)

    return app


def pylti1p3_launch() -> Flask:
    """PyLTI1p3 2.0.0 as its documentation shows it, with Flask's cookie session and the keys at hand."""

    # They have no annotations.
    flask_request: Any = FlaskRequest
    oidc_login: Any = FlaskOIDCLogin
    message_launch: Any = FlaskMessageLaunch
    app = Flask("pylti1p3")
    app.secret_key = SECRET
    app.config.update(SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_SECURE=True)
    issuer = os.environ["BENCH_ISSUER"]
    config = ToolConfDict(
        {
            issuer: {
                "default": True,
                "client_id": os.environ["BENCH_CLIENT"],
                "auth_login_url": f"{issuer}/auth",
                "auth_token_url": f"{issuer}/token",
                "key_set_url": None,
                "key_set": json.loads(os.environ["BENCH_JWKS"]),
                "deployment_ids": ["1"],
            }
        }
    )

    @app.post("/lti/login")
    def login() -> Any:
        return oidc_login(flask_request(request_is_secure=True), config).redirect(
            request.form["target_link_uri"]
        )

    @app.post("/lti/launch")
    def launch() -> AnyResponse:
        message_launch(flask_request(request_is_secure=True), config).get_launch_data()
        return redirect("/wallet", 303)

    return app


PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ b.name }}</title>
<meta name="viewport" content="width=device-width"></head><body><header><a href="/">Badges</a></header>
<main><h1>{{ b.name }}</h1><p>{{ b.description }}</p><h2>Criteria</h2><p>{{ b.criteria_narrative }}</p>
<dl><dt>Issuer</dt><dd>{{ b.issuer_name }}</dd><dt>Awarded</dt><dd>{{ b.awarded_at }}</dd>
<dt>Status</dt><dd>{{ "revoked" if b.revoked_at else "valid" }}</dd></dl>
<ul>{% for skill in skills %}<li>{{ skill }}</li>{% endfor %}</ul>
<p><a href="/credentials/{{ b.id }}.json">JSON</a></p></main></body></html>"""


def bare_page() -> Flask:
    """The same badge on Flask and SQLAlchemy Core (AUTOCOMMIT): one joined SELECT, one template."""
    app = Flask("page")
    template = app.jinja_env.from_string(PAGE)
    url = sa.make_url(os.environ["BENCH_DATABASE_URL"])
    if url.get_backend_name() == "postgresql":
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,
        )
    else:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    badge = sa.text(
        "SELECT c.id, c.document, c.revoked_at, v.name, v.description, v.criteria_narrative, v.skills,"
        " i.name AS issuer_name, a.awarded_at FROM credentials c JOIN awards a ON a.id = c.award_id"
        " JOIN achievement_versions v ON v.id = a.achievement_version_id"
        " JOIN issuers i ON i.id = c.issuer_id WHERE c.id = :id AND c.is_public"
    )

    def read(id_: str) -> Any:
        with engine.connect() as connection:
            return connection.execute(badge, {"id": id_}).one()

    @app.get("/credentials/<id_>")
    def page(id_: str) -> str:
        row = read(id_)
        skills = row.skills if isinstance(row.skills, list) else json.loads(row.skills)
        return template.render(b=row, skills=skills)

    @app.get("/credentials/<id_>.json")
    def document(id_: str) -> AnyResponse:
        body = read(id_).document.encode()
        response = make_response(body)
        response.content_type = "application/vc+ld+json"
        response.set_etag(hashlib.sha256(body).hexdigest()[:32])
        response.headers["Cache-Control"] = "public, max-age=300"
        return response.make_conditional(request)

    return app


PER_PAGE = 100
PAGE_SECONDS = 0.05
"""How long the platform takes for a page of one of its ``/courses``; for others, nothing."""


def platform() -> Flask:
    """A platform: tokens, rosters in pages, results in one answer, all made beforehand."""
    app = Flask("platform")
    pages: dict[tuple[int, int], bytes] = {}
    results: dict[int, bytes] = {}
    for size in (int(text) for text in os.environ["BENCH_SIZES"].split()):
        people = [_member(number) for number in range(1, size + 1)]
        for start in range(0, size, PER_PAGE):
            container = {"id": f"members/{size}", "context": {"id": "2"}}
            container["members"] = people[start : start + PER_PAGE]  # type: ignore[assignment]
            pages[size, start // PER_PAGE + 1] = json.dumps(container).encode()
        results[size] = json.dumps([_result(number) for number in range(1, size + 1)]).encode()

    @app.post("/token")
    def token() -> AnyResponse:
        scope = request.form["scope"]
        return Response(
            json.dumps({"access_token": "t", "token_type": "Bearer", "expires_in": 3600, "scope": scope}),
            mimetype="application/json",
        )

    @app.get("/members/<int:size>")
    @app.get("/courses/<int:course>/members/<int:size>")
    def members(size: int, course: int = 0) -> AnyResponse:
        page = int(request.args.get("page", 1))
        if course:
            time.sleep(PAGE_SECONDS)
        response = Response(
            pages[size, page], mimetype="application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
        )
        if (size, page + 1) in pages:
            response.headers["Link"] = f'<{request.base_url}?page={page + 1}>; rel="next"'
        return response

    @app.get("/column/<int:size>/results")
    def column(size: int) -> AnyResponse:
        return Response(results[size], mimetype="application/vnd.ims.lis.v2.resultcontainer+json")

    return app


def _member(number: int) -> dict[str, object]:
    return {
        "status": "Active",
        "user_id": str(number),
        "roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"],
        "name": f"Learner {number}",
        "given_name": "Learner",
        "family_name": str(number),
        "email": f"learner{number}@school.example",
        "lis_person_sourcedid": f"s{number:07}",
    }


def _result(number: int) -> dict[str, object]:
    return {
        "id": f"https://lms.example/results/{number}",
        "userId": str(number),
        "resultScore": number % 401 / 4,
        "resultMaximum": 100,
        "timestamp": "2026-02-20T10:00:00+00:00",
        "scoreOf": "https://lms.example/column",
    }
