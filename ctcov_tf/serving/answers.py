"""Answers that tell of an error, in TensorFlow Serving's form."""

from fastapi.responses import JSONResponse


def error(status: int, message: str) -> JSONResponse:
    """`{"error": message}`.

    Args:
      status: of HTTP; 503 says that it is worth asking again.
      message: what is wrong and what to do; characters that UTF-8 cannot hold become question marks.
    """
    text = message.encode("utf-8", "replace").decode()
    return JSONResponse({"error": text}, status, {"Retry-After": "1"} if status == 503 else None)
