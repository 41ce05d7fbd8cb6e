"""Open Badges 3.0 and Verifiable Credentials, without Flask, SQL or settings.

Building (:mod:`documents`), signing (:mod:`signing`), revoking (:mod:`status_list`), baking into pictures
(:mod:`baking`), drawing those pictures (:mod:`artwork`) and judging anybody's credential
(:mod:`verification`). Nothing in here opens a socket: whoever verifies hands in a
:class:`~lti_tool.credentials.verification.Fetcher`.
"""
