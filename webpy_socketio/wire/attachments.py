"""Binary attachments of Socket.IO packets: placeholders back to bytes.

The way out is part of `values.encode_value`, which meets the bytes while it writes the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ProtocolError

__all__ = ["join_attachments"]


def join_attachments(value: Any, attachments: Sequence[bytes]) -> Any:  # Any: decoded JSON is user data
    """Put attachments in place of their placeholders.

    Raises ``ProtocolError`` for a placeholder whose ``num`` is no integer or names no attachment (CVE-2022-2421,
    CVE-2023-32695). Works in place, without recursion, so that deep nesting costs no stack.
    """
    root = [value]
    pending: list[Any] = [root]
    while pending:
        container = pending.pop()
        entries = enumerate(container) if isinstance(container, list) else container.items()
        for key, item in list(entries):
            if isinstance(item, dict) and item.get("_placeholder") is True:
                container[key] = _attachment(item.get("num"), attachments)
            elif isinstance(item, (list, dict)):
                pending.append(item)
    return root[0]


def _attachment(number: object, attachments: Sequence[bytes]) -> bytes:
    if type(number) is not int or not 0 <= number < len(attachments):
        raise ProtocolError(f"a placeholder must name one of {len(attachments)} attachments by its number")
    return attachments[number]
