"""What Prometheus is told of a server."""

from collections.abc import Callable

import prometheus_client as prometheus

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters, gauges and histograms of one server; no label holds anything that a client chose.

    Attributes:
      requests: answered, by what was asked for and the answer's status.
      seconds: from a request's first byte to its answer's, by what was asked for.
      batch_size: images that the model was given at once.
      refused_images: that could not be read, or are over a limit.
    """

    content_type = prometheus.CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = prometheus.CollectorRegistry()
        self.requests = prometheus.Counter(
            "ctcov_requests", "Requests answered, by call and HTTP status.", ["call", "status"], registry=registry
        )
        self.seconds = prometheus.Histogram(
            "ctcov_request_seconds",
            "Seconds from a request's first byte to its answer, by call.",
            ["call"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_size = prometheus.Histogram(
            "ctcov_batch_size", "Images that the model was given at once.", buckets=_IMAGES, registry=registry
        )
        self.refused_images = prometheus.Counter(
            "ctcov_refused_images", "Images that cannot be read or are over a limit.", registry=registry
        )
        self._version = prometheus.Gauge(
            "ctcov_model_version", "Version that answers requests which name none.", registry=registry
        )
        self._queue = prometheus.Gauge(
            "ctcov_queue_images", "Images that wait for the model, all versions.", registry=registry
        )

    def watch(self, *, queue: Callable[[], float], version: Callable[[], float]) -> None:
        """Says where to ask for what has a value at any time.

        Args:
          queue: images that wait for the model.
          version: that answers requests which name none.
        """
        self._queue.set_function(queue)
        self._version.set_function(version)

    def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        return prometheus.generate_latest(self._registry)
