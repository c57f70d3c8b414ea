"""Where a served model is, and which of its versions is asked."""

import dataclasses
import re

from ctcov_tf import errors

GRPC_PORT = 8500  # TensorFlow Serving's
_ADDRESS = re.compile(
    r"(?P<scheme>https?|grpcs?)://(?P<server>[^/@?#]+)/v1/models/(?P<name>[^/:?#]+)"
    r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:?#]+))?(?::predict)?"
)


@dataclasses.dataclass(frozen=True)
class Target:
    """A served model.

    Attributes:
      scheme: `http` and `https` for REST; `grpc` and, encrypted, `grpcs`.
      server: host and port.
      name: of the model.
      version: that is asked; None for the highest, or for the label's.
      label: that is asked, such as `stable`; None for none.
    """

    scheme: str
    server: str
    name: str
    version: int | None = None
    label: str | None = None

    @classmethod
    def parse(cls, address: str) -> "Target":
        """Reads an address in TensorFlow Serving's REST form.

        Args:
          address: `http://HOST:8501/v1/models/NAME`, with `/versions/N` or `/labels/LABEL` behind it where one is
            meant; `grpc://HOST:8500/v1/models/NAME...` in the same form. Without a port, gRPC takes 8500.

        Raises:
          CtcovError: it has another form.
        """
        found = _ADDRESS.fullmatch(address)
        if not found:
            raise errors.CtcovError(
                f"{address}: no address of a served model: write http://HOST:8501/v1/models/NAME or "
                "grpc://HOST:8500/v1/models/NAME, with /versions/N or /labels/LABEL behind it for one version"
            )
        server = found["server"]
        if found["scheme"].startswith("grpc") and not re.search(r":\d+$", server):
            server = f"{server}:{GRPC_PORT}"
        version = int(found["version"]) if found["version"] else None
        return cls(found["scheme"], server, found["name"], version, found["label"])

    @property
    def base(self) -> str:
        """Address of the server."""
        return f"{self.scheme}://{self.server}"

    @property
    def path(self) -> str:
        """Path of the model, and of its version if one is asked."""
        version = f"/versions/{self.version}" if self.version is not None else ""
        label = f"/labels/{self.label}" if self.label else ""
        return f"/v1/models/{self.name}{version}{label}"

    def __str__(self) -> str:
        """The address."""
        return f"{self.base}{self.path}"
