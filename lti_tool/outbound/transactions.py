"""Whether this thread holds a database transaction open; told by the store, asked before every call."""

from __future__ import annotations

from contextvars import ContextVar

_open_transactions: ContextVar[int] = ContextVar("open_transactions", default=0)


def transaction_opened() -> None:
    """The store says that this thread began a transaction."""
    _open_transactions.set(_open_transactions.get() + 1)


def transaction_closed() -> None:
    """The store says that this thread committed or rolled back."""
    _open_transactions.set(max(0, _open_transactions.get() - 1))


def is_transaction_open() -> bool:
    """Whether this thread is inside a transaction."""
    return _open_transactions.get() > 0
