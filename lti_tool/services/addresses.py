"""Every public address of this installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lti_tool.credentials.did import did_web_for


@dataclass(frozen=True)
class PublicUrls:
    """Every public address of this installation (docs/reference/http.md); they stand in signed documents."""

    base_url: str

    def credential(self, id_: str) -> str:
        return f"{self.base_url}/credentials/{id_}"

    def achievement(self, version_id: str) -> str:
        return f"{self.base_url}/achievements/{version_id}"

    def criteria(self, version_id: str) -> str:
        """Where the achievement's page says what earns it. With the id of the page itself the criteria would
        be the achievement in RDF, and what the badge says of one could be moved to the other under its proof.
        """
        return f"{self.achievement(version_id)}#criteria"

    def achievement_image(self, version_id: str, kind: str = "png") -> str:
        return f"{self.base_url}/achievements/{version_id}.{kind}"

    def issuer(self, issuer_id: str) -> str:
        return f"{self.base_url}/issuers/{issuer_id}"

    def issuer_image(self, issuer_id: str) -> str:
        return f"{self.base_url}/issuers/{issuer_id}.png"

    def endorsement(self, id_: str) -> str:
        return f"{self.base_url}/endorsements/{id_}"

    def status_list(self, id_: str) -> str:
        return f"{self.base_url}/status/{id_}"

    def hosted(self, kind: Literal["assertions", "badges", "issuers"], id_: str) -> str:
        """An Open Badges 2.0 object; its address is its identity."""
        return f"{self.base_url}/ob2/{kind}/{id_}"

    def did(self, issuer_id: str) -> str:
        """The issuer's did:web; its document is served below the issuer's page."""
        return did_web_for(self.issuer(issuer_id))
