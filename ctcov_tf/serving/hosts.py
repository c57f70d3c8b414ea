"""Which names the server answers to: the guard against websites that rebind their own name to its address."""

from collections.abc import Iterable
import dataclasses
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ctcov_tf.serving import answers

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine that no other machine can be reached by."""


@dataclasses.dataclass(frozen=True)
class Hosts:
    """The names that requests may give in `Host`, and in `Origin` where a browser sends one.

    Attributes:
      names: in lower case, without ports and brackets.
      any_address: whether every IP address is such a name too. A server that listens at all addresses of its machine
        does not know by which of them it is reached, and a website cannot rebind an address, only a name.
    """

    names: frozenset[str]
    any_address: bool = False

    @classmethod
    def of(cls, host: str, allowed: Iterable[str] = ()) -> "Hosts":
        """The names of a server.

        Args:
          host: what it listens at.
          allowed: more names, such as that of a proxy before it.
        """
        names = frozenset(name.lower().strip("[]") for name in (*LOOPBACK, host, *allowed))
        address = _address(host)
        return cls(names, any_address=address is not None and address.is_unspecified)

    def know(self, authority: str) -> bool:
        """Whether a name, with or without a port, is one of them.

        Args:
          authority: as `Host` holds it: `name`, `name:port` or `[address]:port`.
        """
        try:
            name = urlsplit(f"//{authority}").hostname or ""
        except ValueError:
            return False
        if any(sign in authority for sign in "/?#@\\") or not name:
            return False
        return name in self.names or (self.any_address and _address(name) is not None)


class HostGuard:
    """Passes on requests to a known host that no foreign website sent; others cost nothing."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers or passes on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        named = headers.getlist("host")
        if len(named) != 1 or not self._hosts.know(named[0]):
            refused = answers.error(421, "This server does not know that host: start it with --allow-host NAME")
            await refused(scope, receive, send)
        elif not all(self._hosts.know(_host_of(origin)) for origin in headers.getlist("origin")):
            await answers.error(403, "Requests from other websites are not answered")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _host_of(origin: str) -> str:
    scheme, _, rest = origin.partition("://")
    return rest if scheme in ("http", "https") else ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
