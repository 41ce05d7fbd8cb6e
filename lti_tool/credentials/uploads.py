"""Pictures that people upload: read as what their bytes are, and drawn anew.

Nothing of a file is kept but what is seen: pixels are decoded, turned the way their camera held them, fitted
into a square and encoded again, so that places, names, profiles and whatever hides behind the picture are
gone; drawings go through :mod:`lti_tool.credentials.drawings`. A decoder is the part of a program that
strangers aim at: :func:`sanitise_apart` runs it in a process of its own with little memory and time.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass
from html import escape
from typing import Final

from PIL import Image, ImageOps

from lti_tool.credentials.artwork import SIZE, render_png
from lti_tool.credentials.drawings import clean_svg
from lti_tool.credentials.errors import ArtworkInvalid, ImageInvalid

MAXIMUM_BYTES: Final = 2 * 1024 * 1024
MAXIMUM_PIXELS: Final = 8_000_000
MEDIA_TYPES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/svg+xml")
SECONDS: Final = 8.0
"""For one picture, the start of the process included; an honest one takes a second."""
_WAIT_SECONDS: Final = 5.0
_AT_ONCE: Final = threading.BoundedSemaphore(2)
_CPU_SECONDS: Final = 6
_MEMORY_BYTES: Final = 1024 * 1024 * 1024
_PLAIN_PNG: Final = 400_000
"""Bytes above which a PNG is written with 256 colours, so that a baked picture stays a small file."""
_MAXIMUM_SVG: Final = 600_000
"""Characters of a drawing; a larger one is kept as its pixels. A baked one with a long credential has to stay
below :data:`lti_tool.credentials.baking.MAXIMUM_SVG_BYTES`."""
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_ORIENTATION: Final = 0x0112
"""Exif 2.32 §4.6.4, and what each of its values asks for."""
_TURNS: Final[dict[object, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ROOT: Final = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}"'
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture of ours, made from one of theirs.

    :param svg: a square, self-contained drawing without words for it (see :func:`with_alt`).
    :param png: the same in 512 × 512 pixels.
    """

    svg: str
    png: bytes


def sanitise(content: bytes) -> Upload:
    """``content`` as a picture of ours, in this process.

    :raises ImageInvalid: ``empty``, ``too_large``, ``too_many_pixels``, ``type_unknown``, ``broken``,
        ``blank`` where nothing is to be seen, and what :func:`~.drawings.clean_svg` refuses.
    """
    if not content:
        raise ImageInvalid("empty")
    if len(content) > MAXIMUM_BYTES:
        raise ImageInvalid("too_large")
    if _is_drawing(content):
        inner = clean_svg(content, SIZE, _within_drawing)
        svg = f"{_ROOT}>{inner}</svg>"
        try:
            png = render_png(svg)
        except ArtworkInvalid:
            raise ImageInvalid("not_svg") from None
        if len(svg) > _MAXIMUM_SVG:
            png = _png(Image.open(io.BytesIO(png)).convert("RGBA"))
            svg = _of_pixels(png)
    else:
        png = _png(_squared(_decoded(content)))
        svg = _of_pixels(png)
    with Image.open(io.BytesIO(png)) as drawn:
        if drawn.convert("RGBA").getchannel("A").getbbox() is None:
            raise ImageInvalid("blank")
    return Upload(svg, png)


def with_alt(svg: str, alt: str) -> str:
    """An uploaded picture's drawing with the words for those who cannot see it.

    :param svg: of an :class:`Upload`.
    """
    assert svg.startswith(_ROOT)  # only what was made here is stored
    words = escape(" ".join(alt.split()))
    return f'{_ROOT} role="img" aria-label="{words}"><title>{words}</title>{svg[len(_ROOT) + 1 :]}'


def sanitise_apart(content: bytes, seconds: float = SECONDS) -> Upload:
    """:func:`sanitise` in a process of its own, which has little memory, writes no file, and is ended
    when it takes too long.

    :raises ImageInvalid: also ``took_too_long``, and ``busy`` where others keep this program at it.
    """
    if len(content) > MAXIMUM_BYTES:
        raise ImageInvalid("too_large")
    if not _AT_ONCE.acquire(timeout=_WAIT_SECONDS):
        raise ImageInvalid("busy")
    try:
        answered = _ask(content, seconds)
    finally:
        _AT_ONCE.release()
    if "reason" in answered:
        raise ImageInvalid(answered["reason"])
    return Upload(answered["svg"], base64.b64decode(answered["png"]))


def _ask(content: bytes, seconds: float) -> dict[str, str]:
    # -I: neither the environment nor the working folder may add modules; so the parent's path is handed over
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; from lti_tool.credentials.uploads import serve; serve()"
    )
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and a program of constants
            [sys.executable, "-I", "-c", program],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            close_fds=True,
            timeout=seconds,
            check=True,
        )
        answer: dict[str, str] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError, OSError):
        raise ImageInvalid("took_too_long") from None
    return answer


def serve() -> None:
    """The child: a file in, JSON out."""
    import resource  # POSIX only, and only the child limits itself

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answer: dict[str, str]
    try:
        made = sanitise(sys.stdin.buffer.read(MAXIMUM_BYTES + 1))
        answer = {"svg": made.svg, "png": base64.b64encode(made.png).decode()}
    except ImageInvalid as error:
        answer = {"reason": error.reason}
    except (MemoryError, RecursionError):
        answer = {"reason": "took_too_long"}
    sys.stdout.write(json.dumps(answer))


def _is_drawing(content: bytes) -> bool:
    start = content[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith((b"<", b"\xff\xfe<\0", b"\xfe\xff\0<"))


def _decoded(content: bytes) -> Image.Image:
    """The first frame, upright; its size is known before a pixel is decoded.

    :raises ImageInvalid: ``type_unknown``, ``too_many_pixels``, ``broken``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise ImageInvalid("too_many_pixels") from None
    except (OSError, ValueError, SyntaxError):
        raise ImageInvalid("type_unknown") from None
    if image.width * image.height > MAXIMUM_PIXELS:
        raise ImageInvalid("too_many_pixels")
    try:
        upright = _upright(image)
        if upright.mode.startswith("I;16"):
            # 16 bits of grey: Pillow would cut off what is above 255
            upright = upright.convert("I").point(lambda value: value * (1 / 256)).convert("L")
        return upright.convert("RGBA")
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError):
        raise ImageInvalid("broken") from None


def _upright(image: Image.Image) -> Image.Image:
    """Turned the way the camera was held, if it says so in words that can be read.

    Not by ``ImageOps.exif_transpose``: it writes everything else that cameras note once more, and fails where
    one of those notes is crooked (Pillow 13.0.0: a telephone's photograph that every browser shows).
    """
    image.load()
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION))
    except Exception:  # strangers' notes, which nobody misses: Pillow raises whatever they lead it to
        turn = None
    return image if turn is None else image.transpose(turn)


def _squared(image: Image.Image) -> Image.Image:
    """The whole picture, as large as fits and centred, on a transparent square."""
    fitted = ImageOps.contain(image, (SIZE, SIZE), Image.Resampling.LANCZOS)
    ground = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
    ground.paste(fitted, ((SIZE - fitted.width) // 2, (SIZE - fitted.height) // 2))
    return ground


def _within_drawing(content: bytes) -> bytes:
    """A picture of pixels that stands in a drawing: in its own shape, no larger than a badge."""
    image = _decoded(content)
    image.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
    return _png(image)


def _png(image: Image.Image) -> bytes:
    """A PNG of the pixels alone."""
    bare = Image.new("RGBA", image.size)
    bare.paste(image)
    plain = io.BytesIO()
    bare.save(plain, "PNG", optimize=True)
    if plain.tell() <= _PLAIN_PNG:
        return plain.getvalue()
    fewer = io.BytesIO()
    bare.quantize(256, Image.Quantize.FASTOCTREE).save(fewer, "PNG", optimize=True)
    return fewer.getvalue()


def _of_pixels(png: bytes) -> str:
    address = "data:image/png;base64," + base64.b64encode(png).decode()
    return f'{_ROOT}><image width="{SIZE}" height="{SIZE}" href="{address}"/></svg>'
