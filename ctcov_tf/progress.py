"""When work shows its progress."""

SILENT_SECONDS = 2
"""Work that takes longer shows a progress bar: `delay` of tqdm."""
