"""Memory for batches that is used again once nobody holds the batch any more; no TensorFlow."""

import weakref

import numpy as np
import numpy.typing as npt

_ALIGNMENT = 64  # bytes: TensorFlow takes such arrays over as they are and copies others


class BatchMemory:
    """Hands out float32 arrays of one shape of rows.

    The system clears fresh memory page by page, which costs as much as a step of the pre-processing. So an array's
    memory is kept when the array is gone, and given to the next. Hold the array itself, not a slice of it.

    Args:
      rows: most rows that an array has.
      row_shape: shape of a row.
    """

    def __init__(self, rows: int, row_shape: tuple[int, ...]) -> None:
        self._shape = (rows, *row_shape)
        self._free: list[npt.NDArray] = []

    def take(self, rows: int) -> npt.NDArray:
        """An array of which nobody else has the memory.

        Args:
          rows: as many as the array is to have, at most those of the memory.

        Returns:
          float32 (rows, *row_shape), its values undefined.
        """
        try:
            memory = self._free.pop()
        except IndexError:
            memory = self._allocated()
        array = memory[:rows]
        weakref.finalize(array, self._free.append, memory)
        return array

    def _allocated(self) -> npt.NDArray:
        size = int(np.prod(self._shape)) * np.dtype(np.float32).itemsize
        bytes_ = np.empty(size + _ALIGNMENT, np.uint8)
        start = -bytes_.ctypes.data % _ALIGNMENT
        return bytes_[start : start + size].view(np.float32).reshape(self._shape)
