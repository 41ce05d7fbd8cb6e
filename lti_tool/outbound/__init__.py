"""The one policy for outgoing HTTP.

Whatever this tool fetches is named by somebody else: an LMS in a launch, or a visitor on the verification
page. So every call, whoever makes it, goes through :class:`Outbound`, which holds these rules:

- **https and public addresses only.** What counts is the address that is connected to, not an earlier answer
  of the DNS: names are resolved, judged and connected to in one place (``connection``), so that a name which
  answers differently the second time gains nothing. The library underneath follows no redirect; where a
  caller wants them, each target is judged like a first URL and credentials stay with their origin.
- **Exceptions** are the hosts and networks of ``LTI_TOOL_OUTBOUND_ALLOW``, and loopback in development: for
  calls to platforms only, never for URLs that a visitor gave. In development a visitor may name this
  installation itself.
- **Bounds.** One time limit for the whole call, a server that drips a byte a second included; a limit on the
  decoded body; no cookies, no proxies, no ``.netrc`` from the environment.
- **No call inside a database transaction** (in tests and development): a slow LMS would hold locks.

Answers are returned with whatever status they have; what a status means is for the caller to say.
"""

from lti_tool.outbound.client import DEFAULT_MAX_BYTES, DEFAULT_TIMEOUT, Answer, Outbound
from lti_tool.outbound.policy import Audience, OutboundPolicy, is_public
from lti_tool.outbound.transactions import is_transaction_open, transaction_closed, transaction_opened

__all__ = [
    "DEFAULT_MAX_BYTES",
    "DEFAULT_TIMEOUT",
    "Answer",
    "Audience",
    "Outbound",
    "OutboundPolicy",
    "is_public",
    "is_transaction_open",
    "transaction_closed",
    "transaction_opened",
]
