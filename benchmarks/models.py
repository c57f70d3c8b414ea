"""How large is each preset's network at 256 px? `python -m benchmarks.models`: the README's table."""

import pathlib
import tempfile

import keras

from benchmarks import frozen_parts
from ctcov_tf import config, configs
from ctcov_tf.models import registry, summary


def main() -> None:
    """Builds every preset's network from random weights, saves it, and prints the table."""
    print("| preset | parameters | GFLOP an image | `model.keras`, MB |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for name in configs.names():
            keras.backend.clear_session()
            network = registry.without_weights(configs.load(name).model)
            outputs = {"findings": len(config.FINDINGS), "two_class": 2}.get(network.head, 1)
            parts = frozen_parts.random_parts(network, config.IMAGE_SIZE)
            model = registry.build(network, config.IMAGE_SIZE, outputs, parts)
            path = pathlib.Path(folder) / f"{name}.keras"
            model.save(path)
            counts = summary.describe(model)
            size = path.stat().st_size / 1e6
            print(f"| `{name}` | {counts['parameters']:,} | {counts['gflops']:.2f} | {size:.1f} |", flush=True)


if __name__ == "__main__":
    main()
