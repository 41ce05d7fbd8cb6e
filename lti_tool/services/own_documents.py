"""What this installation publishes for verifiers, read in process instead of over HTTP (decision 0011)."""

from __future__ import annotations

from dataclasses import dataclass

from lti_tool.services.issuing import Issuing, PublishedDocument
from lti_tool.services.status_lists import StatusLists


@dataclass(frozen=True)
class OwnDocuments:
    """The one door through which our own published documents are read.

    ``lti_tool.services.verifying`` comes through it, so that judging one of our badges needs no request to
    ourselves, and still sees exactly what everybody else sees.
    """

    issuing: Issuing
    status_lists: StatusLists

    def published(self, path: str) -> PublishedDocument | None:
        """What is served at ``path`` of this installation: DID documents, keys and status lists."""
        match path.strip("/").split("/"):
            case ["issuers", issuer_id, "did.json"]:
                return self.issuing.did_document(issuer_id)
            case [".well-known", "did.json"]:
                return self.issuing.host_document()
            case ["issuers", issuer_id, "keys", kid]:
                return self.issuing.token_key(issuer_id, kid)
            case ["status", status_list_id]:
                return self.status_lists.published(status_list_id)
        return None
