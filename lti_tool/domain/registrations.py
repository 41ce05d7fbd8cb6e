"""An LMS that may launch the tool, as the rooms below the services see it.

The pair (issuer, client_id) names it (LTI Security Framework §5.1.1.1): a cloud LMS shares one issuer
between all its customers, so an issuer alone never decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lti_tool.domain.staff import StaffRole


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
    administrator_role: StaffRole | None = None
    """What an administrator of this LMS may be on the staff pages; ``None``: nothing."""
    allows_anonymous: bool = False
    """Launches without a ``sub`` get a page to read (LTI Core §5.3.6.1); the certification refuses them."""

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
    token_url: str | None = None
    """Where this institution hands out access tokens, if not where the registration says."""
    frame_origins: tuple[str, ...] = ()
    """The institution's own domains that may frame the tool."""
    service_hosts: frozenset[str] = frozenset()
    """``host[:port]`` that signed launches of it named for AGS and NRPS: its tokens go nowhere else."""


@dataclass(frozen=True, slots=True)
class Site:
    """An institution's LMS: what answers, is silent, wants to be left alone, and has a budget of calls.

    Institutions may share a registration (Canvas); what hands out their tokens is their own.
    """

    registration_id: str
    token_url: str


def site_of(registration: RegistrationView, deployment: DeploymentView) -> Site:
    """Whose LMS a deployment is on; the registration's own where it names no other token URL."""
    own = deployment.token_url
    return Site(registration.id, registration.token_url if own is None else own)


def token_url_of(
    registration: RegistrationView, deployment: DeploymentView, *, per_institution: bool
) -> str | None:
    """Where a deployment's access tokens come from; ``None`` where nobody has said so yet.

    A registration's token URL speaks for the organisation that the registration was made for. Where
    institutions that share a registration hand out tokens of their own, another organisation's deployment
    does not get that one's: it would be sent to the other institution's hosts.

    :param per_institution: whether the product works so.
    """
    if deployment.token_url is not None:
        return deployment.token_url
    if per_institution and deployment.organisation_id != registration.default_organisation_id:
        return None
    return registration.token_url
