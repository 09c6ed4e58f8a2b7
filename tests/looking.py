"""What is wrong with a page as a browser lays it out: what is cut, too small to read, or scrolls the page sideways."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SMALLEST = 11
"""Pixels of the smallest text."""

FAULTS = """smallest => {
  const out = [], width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) out.push("the page scrolls sideways");
  const scrolls = e => { for (; e && e !== document.body; e = e.parentElement)
    if (["auto", "scroll"].includes(getComputedStyle(e).overflowX)) return true; return false; };
  for (const e of document.querySelectorAll("body *:not(.skip)")) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e), said = e.textContent.trim().slice(0, 40);
    if (!box.width || !box.height) continue;
    if (["hidden", "clip"].includes(style.overflowX) && e.scrollWidth > e.clientWidth + 1) out.push("hidden: " + said);
    if (![...e.childNodes].some(own => own.nodeType === 3 && own.textContent.trim())) continue;
    const picture = e.closest("svg"), unit = picture && picture.viewBox.baseVal.width;
    const scale = unit ? picture.getBoundingClientRect().width / unit : 1;
    if (parseFloat(style.fontSize) * scale < smallest - 0.01) out.push("small: " + said);
    if ((box.right > width + 1 || box.left < -1) && !scrolls(e)) out.push("cut: " + said);
  }
  for (const picture of document.querySelectorAll("svg")) {
    const edge = picture.getBoundingClientRect();
    for (const mark of picture.querySelectorAll("text, rect, circle, polyline, polygon")) {
      const own = mark.getBoundingClientRect();
      if (own.left < edge.left - 1 || own.right > edge.right + 1 ||
          own.top < edge.top - 1 || own.bottom > edge.bottom + 1)
        out.push("outside its picture: " + (mark.textContent || mark.tagName));
    }
  }
  return [...new Set(out)];
}"""
CONTRAST = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(c =>
      (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => { for (; e; e = e.parentElement) { const own = getComputedStyle(e).backgroundColor;
    if (!own.endsWith(", 0)") && own !== "transparent") return own; } return "rgb(255, 255, 255)"; };
  const out = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(own => own.nodeType === 3 && own.textContent.trim())) continue;
    if (!e.getBoundingClientRect().width) continue;
    const style = getComputedStyle(e), ink = e.closest("svg") ? style.fill : style.color;
    if (!ink.startsWith("rgb")) continue;
    const [high, low] = [light(ink), light(behind(e))].sort((a, b) => b - a);
    if ((high + 0.05) / (low + 0.05) < 4.5) out.push(e.textContent.trim().slice(0, 40) + ": " + ink);
  }
  return [...new Set(out)];
}"""
"""Text that stands out from its ground by less than 4.5 to 1, which WCAG 2.1 asks for."""


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, for pages that take scripts from no one but the test."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def opened(chromium: Any, address: str, width: int, *, dark: bool = False) -> Any:
    """The page at that width, with everything on it that is folded unfolded."""
    page = chromium.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", bypass_csp=True
    )
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    return page


def faults(page: Any) -> list[str]:
    return list(page.evaluate(FAULTS, SMALLEST))
