"""Makes the pictures of README and documentation from a real run: `python tools/pictures.py`; needs Chromium and tmux.

The run is that of `make demo`, so that whoever types its command sees what the picture shows.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.sax.saxutils import escape

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).resolve().parent.parent
PICTURES = HERE / "docs" / "pictures"
EXPERIMENT = HERE / "examples" / "emergency_department" / "experiment.toml"
COLUMNS, LINE, LETTER = 104, 19, 8.45
PAGE = {"width": 1100, "height": 760}


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder)
        for path in EXPERIMENT.parent.glob("*.*"):
            (scene / path.name).write_bytes(path.read_bytes())
        terminal(scene, ["replicast run --experiment experiment.toml --name demo", "replicast compare demo"])
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            subprocess.run([program(), "report", "demo", "-o", "demo.html"], cwd=scene, check=True)
            photograph(browser, (scene / "demo.html").as_uri() + "#metrics", "report.png")
            live_page(browser, scene)


def program() -> str:
    return str(Path(sys.executable).parent / "replicast")


def photograph(browser: Browser, address: str, name: str) -> None:
    page = browser.new_page(viewport=PAGE)  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / name)


def live_page(browser: Browser, scene: Path) -> None:
    with subprocess.Popen([program(), "ui"], cwd=scene, stdout=subprocess.PIPE, text=True) as ui:
        assert ui.stdout is not None
        address = ui.stdout.readline().strip()
        page = browser.new_page(viewport=PAGE)  # type: ignore[arg-type]
        page.goto(address)
        page.get_by_role("link", name="demo", exact=True).click()
        page.locator("#results svg").first.wait_for()
        page.screenshot(path=PICTURES / "ui.png")
        ui.terminate()


def terminal(scene: Path, commands: list[str]) -> None:
    """What a terminal shows after the commands, as an SVG of text."""

    def tmux(*arguments: str) -> str:
        command = ["tmux", "-L", "pictures", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    shell = f"cd {shlex.quote(str(scene))}; PATH={shlex.quote(str(Path(program()).parent))}:$PATH; PS1='$ '; clear"
    tmux("new-session", "-d", "-s", "scene", "-x", str(COLUMNS), "-y", "60", "bash", "--norc")
    try:
        for command in (shell, *commands):
            tmux("send-keys", "-t", "scene", command, "Enter")
            time.sleep(1)
            while tmux("capture-pane", "-p", "-t", "scene").rstrip().splitlines()[-1:] != ["$"]:
                time.sleep(0.5)
        lines = tmux("capture-pane", "-p", "-t", "scene").rstrip().splitlines()[:-1]
    finally:
        tmux("kill-server")
    (PICTURES / "terminal.svg").write_text(as_svg(lines), encoding="utf-8")


def as_svg(lines: list[str]) -> str:
    width, height = COLUMNS * LETTER + 32, len(lines) * LINE + 32
    texts = [
        f'<text x="16" y="{28 + place * LINE}" class="{kind_of(line)}">{escape(line)}</text>'
        for place, line in enumerate(lines)
        if line.strip()
    ]
    style = (
        "text{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre;fill:#e6e9ee}"
        ".typed{fill:#8fd18f}.rule{fill:#5c6773}.aside{fill:#a9b3bf}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" '
        f'aria-label="A terminal after: {escape(lines[0][2:], {chr(34): "&quot;"})}"><style>{style}</style>'
        f'<rect width="100%" height="100%" rx="8" fill="#1b2129"/>{"".join(texts)}</svg>\n'
    )


def kind_of(line: str) -> str:
    if line.startswith("$ "):
        return "typed"
    if not re.search(r"\w", line):
        return "rule"
    return "aside" if re.match(r"(run|note|difference|\d+ replications| {2}\S)", line) else "shown"


if __name__ == "__main__":
    main()
