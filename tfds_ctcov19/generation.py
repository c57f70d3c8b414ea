"""How all builders here make examples: one function an example, run in a loop or by the workers of Apache Beam.

`tfds build` without `--beam_pipeline_options` runs the loop: Beam's runner on one machine takes longer, knows no
`--max_examples_per_split`, and looks for a program to download. Both ways write the same records in the same order,
since TFDS orders them by the hash of their keys.
"""

import abc
from collections.abc import Callable, Iterable, Iterator
import errno
from typing import Any

import tensorflow_datasets as tfds

from tfds_ctcov19.errors import DatasetError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Keyed = tuple[str, dict[str, Any]]
"""A key, unique in its split, and the example."""


class ParallelBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Builder whose examples do not depend on each other."""

    _on_beam = False

    @abc.abstractmethod
    def _make_example(self) -> Callable[[Any], Keyed]:
        """Returns the function from an item of `_generate_examples` to its example; it is sent to workers."""

    def _download_and_prepare(
        self, dl_manager: tfds.download.DownloadManager, download_config: tfds.download.DownloadConfig
    ) -> None:
        self._on_beam = bool(download_config.beam_options or download_config.beam_runner)
        try:
            super()._download_and_prepare(dl_manager, download_config)
        except DatasetError:
            raise
        except Exception as error:
            if told := self._told(error):
                raise DatasetError(told) from error
            raise

    def _told(self, error: Exception) -> str:
        """One line about a disk that is full or a pipeline that stopped; empty for what is no fault of the user's."""
        import tensorflow as tf

        lines = str(error).strip().splitlines() or [type(error).__name__]
        cause: BaseException | None = error  # TFDS raises others in the place of some
        while cause:
            if isinstance(cause, tf.errors.OpError) or (isinstance(cause, OSError) and cause.errno in _DISK_FULL):
                reason = f"{self.data_dir} cannot be written ({' '.join(str(cause).split())})"
                return f"{self.name}: {reason}: free some space, or name another --data_dir"
            cause = cause.__cause__
        if self._on_beam:
            return f"{self.name}: Beam's pipeline stopped ({lines[-1]}): mend that and build again"
        return ""

    def _generate_examples(self, items: Iterable[Any]) -> Iterator[Keyed]:
        """Makes the examples of a split.

        Args:
          items: what `_make_example`'s function takes.

        Returns:
          The examples; a Beam transform that gives them where Beam's options are given.
        """
        make = self._make_example()
        if not self._on_beam:
            return map(make, items)
        import apache_beam as beam

        return beam.Create(list(items)) | beam.Map(make)
