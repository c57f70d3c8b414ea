"""The model that a server serves: name, version, and what it says of itself and of images."""

import io
import re
from typing import Any

from PIL import Image

from ctcov_tf import errors, predictor
from ctcov_tf.export import layout
from ctcov_tf.serving import rest


class ServedModel:
    """One model under one name and version.

    Attributes:
      name: in addresses.
      version: of the export; 1 of a run directory.
    """

    def __init__(self, model: predictor.Predictor, name: str | None = None) -> None:
        """Takes an opened model into service.

        Args:
          model: what answers.
          name: in addresses; the model's own if None.

        Raises:
          CtcovError: no address can hold the name.
        """
        self.name = name or model.info.name
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise errors.CtcovError(
                f"name {self.name!r}: no name for an address: choose --name of letters, digits and . _ -"
            )
        self.version = layout.version_of(model.path)
        self._model = model

    def warm_up(self) -> None:
        """Answers a blank image, so that the first request does not wait for what is done once."""
        image = io.BytesIO()
        Image.new("L", (64, 64)).save(image, "PNG")
        self._model.predict(image.getvalue(), "blank image")

    def status(self, name: str, version: int | None = None) -> dict[str, Any]:
        """The state of the model's versions, as TensorFlow Serving's GetModelStatusResponse.

        Args:
          name: that a request names.
          version: that a request names; None for all.

        Raises:
          Refusal: no such model, or no such version.
        """
        if not self._is(name, version):
            versions = "any versions" if version is None else f"version {version}"
            raise rest.Refusal(404, f"Could not find {versions} of model {name}")
        status = {"error_code": "OK", "error_message": ""}
        return {"model_version_status": [{"version": str(self.version), "state": "AVAILABLE", "status": status}]}

    def metadata(self, name: str, version: int | None = None) -> dict[str, Any]:
        """Inputs and outputs, as TensorFlow Serving's GetModelMetadataResponse, and the model's record beside them.

        Args:
          name: that a request names.
          version: that a request names; None for the highest.

        Raises:
          Refusal: no such model, or no such version.
        """
        self._find(name, version)
        signatures = {rest.SIGNATURE: rest.signature(self._model.info)}
        return {
            "model_spec": {"name": self.name, "signature_name": "", "version": str(self.version)},
            "metadata": {"signature_def": {"signature_def": signatures}, "model_info": self._model.info.to_dict()},
        }

    def predict(self, body: bytes, name: str, version: int | None = None) -> dict[str, Any]:
        """Answers a request to predict; one at a time.

        Args:
          body: its JSON.
          name: that the request names.
          version: that the request names; None for the highest.

        Raises:
          Refusal: no such model or version, or the request has not TensorFlow Serving's form.
          CtcovError: one of the images cannot be read; none is answered.
        """
        self._find(name, version)
        request = rest.read(body)
        predictions = [self._model.predict(data, place) for place, data in request.images.items()]
        return rest.write(predictions, self._model.info, columns=request.columns)

    def _is(self, name: str, version: int | None) -> bool:
        return name == self.name and version in (None, self.version)

    def _find(self, name: str, version: int | None) -> None:
        if not self._is(name, version):
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise rest.Refusal(404, f"Servable not found for request: {wanted}")
