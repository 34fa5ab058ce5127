"""What a telephone's camera reads from a terminal: the half blocks become a picture, which zxing decodes."""
import subprocess
import tempfile

BLACK_ON_WHITE, OFF = "\x1b[30;107m", "\x1b[0m"
BLOCKS = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
PIXELS = 4  # a module's side


def read(text: str) -> str:
    """The code among these lines: black on white, or in the terminal's own colours where it is a dark one. "" when none
    can be read."""
    rows = []
    for line in text.splitlines():
        coloured = line.startswith(BLACK_ON_WHITE) and line.endswith(OFF)
        blocks = line[len(BLACK_ON_WHITE):-len(OFF)] if coloured else line
        if blocks and set(blocks) <= set(BLOCKS):
            rows += [[BLOCKS[block][half] == coloured for block in blocks] for half in (0, 1)]
    if not rows:
        return ""
    pixels = b"".join(bytes(0 if dark else 255 for dark in row for _ in range(PIXELS)) * PIXELS for row in rows)
    with tempfile.NamedTemporaryFile(suffix=".pgm") as picture:
        picture.write(b"P5 %d %d 255\n" % (len(rows[0]) * PIXELS, len(rows) * PIXELS) + pixels)
        picture.flush()
        return subprocess.run(["ZXingReader", "-bytes", picture.name], capture_output=True, text=True).stdout
