"""Runs 1EdTech's validator for Open Badges 2.0 in an environment of its own, with a web of given documents.

Reads ``{"input", "recipient", "documents": {url: {"status", "type", "body"}}}`` (bodies in base64) and prints
the validator's answer. Nothing else is reachable.
"""

import base64
import io
import json
import sys

import requests
from requests.adapters import BaseAdapter
from requests.models import Response

question = json.load(sys.stdin)
documents = question["documents"]


class Web(BaseAdapter):
    """Answers with the given documents, and 404 for all else."""

    def send(self, request, **_kwargs):
        found = documents.get(request.url, {"status": 404, "type": "text/plain", "body": ""})
        body = base64.b64decode(found["body"])
        response = Response()
        response.request, response.url = request, request.url
        response.status_code = found["status"]
        response.headers["Content-Type"] = found["type"]
        response.raw = io.BytesIO(body)
        response._content = body
        return response

    def close(self):
        """Nothing is held."""


begin = requests.Session.__init__


def begin_offline(self, *args, **kwargs):
    begin(self, *args, **kwargs)
    self.mount("https://", Web())
    self.mount("http://", Web())


requests.Session.__init__ = begin_offline

from openbadges import verify  # noqa: E402  (it makes its sessions when it is imported)
from openbadges.verifier import openbadges_context  # noqa: E402

documents["https://w3id.org/openbadges/v2"] = {
    "status": 200,
    "type": "application/ld+json",
    "body": base64.b64encode(json.dumps(openbadges_context.OPENBADGES_CONTEXT_V2_DICT).encode()).decode(),
}
answer = verify(question["input"], recipient_profile=question.get("recipient"))
print(json.dumps(answer, default=str))
