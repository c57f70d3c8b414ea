"""Answers that tell of an error, in TensorFlow Serving's form."""

from fastapi.responses import JSONResponse


def error(status: int, message: str) -> JSONResponse:
    """`{"error": message}`.

    Args:
      status: of HTTP; 503 says that it is worth asking again.
      message: what is wrong and what to do.
    """
    return JSONResponse({"error": message}, status, {"Retry-After": "1"} if status == 503 else None)
