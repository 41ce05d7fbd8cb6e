"""An LMS that may launch the tool, as the rooms below the services see it.

The pair (issuer, client_id) names it (LTI Security Framework §5.1.1.1): a cloud LMS shares one issuer
between all its customers, so an issuer alone never decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RegistrationStatus(StrEnum):
    """``pending`` waits for the operator; ``disabled`` is kept for its history and refused."""

    PENDING = "pending"
    APPROVED = "approved"
    DISABLED = "disabled"


class DeploymentStatus(StrEnum):
    """``held`` was seen in a signed launch and waits for somebody to say whose it is."""

    HELD = "held"
    APPROVED = "approved"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class RegistrationView:
    """One registration. Not the tenant: its deployments may belong to several organisations."""

    id: str
    name: str
    issuer: str
    client_id: str
    product: str
    """Which ``lti_tool.platforms`` entry speaks for this LMS; only that room compares it."""
    auth_url: str
    token_url: str
    jwks_url: str
    token_audience: str | None = None
    """``aud`` of the token request's assertion where it is not the token URL (D2L Brightspace)."""
    status: RegistrationStatus = RegistrationStatus.APPROVED
    default_organisation_id: str | None = None
    """Where deployments approved by rule go."""
    approves_deployments: bool = False
    """The rule: a deployment seen for the first time is approved into the default organisation."""
    frame_origins: tuple[str, ...] = ()
    """Origins beside the signed ones that may frame the tool."""
    service_hosts: frozenset[str] = frozenset()
    """``host[:port]`` that signed launches named for AGS and NRPS: a token goes nowhere else."""

    @property
    def is_approved(self) -> bool:
        """Whether logins and launches are let in."""
        return self.status is RegistrationStatus.APPROVED


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """One placement of the tool in an LMS; belongs to one organisation once approved."""

    id: str
    registration_id: str
    id_on_platform: str
    organisation_id: str | None
    status: DeploymentStatus
