"""The least that answers an image: numpy, Pillow and LiteRT alone, `python benchmarks/bare_litert.py MODEL IMAGE`."""

import sys

from ai_edge_litert.interpreter import Interpreter
import numpy as np
from PIL import Image

THREADS = 2


def main(model: str, image: str) -> None:
    """Prints the probability.

    Args:
      model: a `.tflite` file that `export.py` wrote.
      image: an 8-bit image file.
    """
    answer = Interpreter(model_path=model, num_threads=THREADS).get_signature_runner()
    print(answer(image=np.asarray(Image.open(image).convert("RGB"))[np.newaxis])["probability"][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
