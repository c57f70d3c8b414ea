"""What all HTML pages share: templates that include one style, and pictures held in the page itself."""

import base64
import pathlib

import jinja2


def environment(folder: pathlib.Path) -> jinja2.Environment:
    """Where the templates of a page are found.

    A name that a template misses is an error, and everything put into a page is escaped. `style.html`, the look of all
    pages in light, dark and print, is there to be included.

    Args:
      folder: holds the page's own templates.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, pathlib.Path(__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["percent"] = lambda value: f"{value:.0%}"
    return made


def data_url(picture: bytes, kind: str = "png") -> str:
    """A picture as an address that holds it, so that a page needs no other file.

    Args:
      picture: content of the picture's file.
      kind: its format, as in its media type: png, jpeg.
    """
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
