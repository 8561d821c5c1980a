"""Which methods of a class-based namespace a client may reach: the access lists of gevent-socketio."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["MethodAccess"]


class MethodAccess:
    """An access list: ``allowed_methods`` are the names of the methods that the client may reach, None for all."""

    allowed_methods: set[str] | None

    def get_initial_acl(self) -> Iterable[str] | None:
        """Give the names of the methods that the client may reach (``on_move``, ``recv_message``), None for all.

        Stages run in any case, but for ``on_message``.
        """
        return None

    def is_method_allowed(self, method_name: str) -> bool:
        """Tell whether the client may reach a method."""
        return self.allowed_methods is None or method_name in self.allowed_methods

    def add_acl_method(self, method_name: str) -> None:
        """Let the client reach a method; where all were allowed, it is the only one from now on."""
        if self.allowed_methods is None:
            self.allowed_methods = set()
        self.allowed_methods.add(method_name)

    def del_acl_method(self, method_name: str) -> None:
        """Let the client reach a method no longer. Raises ``ValueError`` where all are allowed."""
        if self.allowed_methods is None:
            raise ValueError(
                f"{method_name!r} cannot be taken away, as all methods are allowed. Give those that are in "
                "get_initial_acl(), or by add_acl_method()."
            )
        self.allowed_methods.discard(method_name)

    def lift_acl_restrictions(self) -> None:
        """Let the client reach all methods."""
        self.allowed_methods = None

    def reset_acl(self) -> None:
        """Begin with `get_initial_acl` again."""
        initial = self.get_initial_acl()
        self.allowed_methods = None if initial is None else set(initial)
