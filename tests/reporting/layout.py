"""What is wrong with the layout of a page in a browser: overflow, overlapping or cut texts, empty parts."""

from __future__ import annotations

from typing import Any

# Runs in the page. Texts are compared by the part of them that scrolling regions show.
_FAULTS = r"""
() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`page is ${root.scrollWidth} px wide`);
  function visible(box, element) {
    let [left, top, right, bottom] = [box.left, box.top, box.right, box.bottom];
    for (let outer = element.parentElement; outer; outer = outer.parentElement) {
      if (outer instanceof SVGElement && outer.tagName !== "svg") continue;
      if (getComputedStyle(outer).overflow === "visible") continue;
      const clip = outer.getBoundingClientRect();
      [left, top] = [Math.max(left, clip.left), Math.max(top, clip.top)];
      [right, bottom] = [Math.min(right, clip.right), Math.min(bottom, clip.bottom)];
    }
    return { left, top, right, bottom };
  }
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement, words = node.textContent.trim();
    if (!words || ["SCRIPT", "STYLE", "style", "title"].includes(element.tagName)) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const shown = visible(box, element);
      if (shown.right - shown.left > 3 && shown.bottom - shown.top > 3) texts.push({ ...shown, words });
    }
    const drawing = element.closest("svg");
    if (drawing) {
      const [box, frame] = [element.getBoundingClientRect(), drawing.getBoundingClientRect()];
      if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2)
        faults.push(`cut by its drawing: ${words}`);
    }
  }
  texts.sort((a, b) => a.top - b.top);
  texts.forEach((a, number) => {
    for (let next = number + 1; next < texts.length && texts[next].top < a.bottom - 3; next++) {
      const b = texts[next];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (across > 2 && Math.min(a.bottom, b.bottom) - b.top > 3)
        faults.push(`overlap: ${a.words.slice(0, 60)} | ${b.words.slice(0, 60)}`);
    }
  });
  for (const plot of document.querySelectorAll("svg.plot")) {
    const drawn = [...plot.querySelectorAll(".series")].filter((part) => {
      const box = part.getBoundingClientRect();
      return box.width > 0 || box.height > 0;
    });
    if (!drawn.length) faults.push(`empty plot: ${plot.getAttribute("aria-label")}`);
  }
  for (const table of document.querySelectorAll("table"))
    if (!table.tBodies[0]?.rows.length) faults.push("empty table");
  for (const heading of document.querySelectorAll("main > h2"))
    if (!heading.nextElementSibling || /^H[12]$/.test(heading.nextElementSibling.tagName))
      faults.push(`empty section: ${heading.textContent}`);
  return faults;
}
"""


def layout_faults(page: Any) -> list[str]:
    """Return what is wrong with the layout of a page, in a browser's window of any width.

    Args:
        page: A page of playwright.
    """
    return list(dict.fromkeys(page.evaluate(_FAULTS)))


def print_faults(page: Any) -> list[str]:
    """Return what is wrong with a page as it is printed: its layout, buttons, dark paper."""
    page.emulate_media(media="print")
    found = layout_faults(page)
    if page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)":
        found.append("dark paper")
    found += [
        f"printed: {name}" for name in (".copy", ".zoom", ".tip") if page.locator(f"{name}:visible").count()
    ]
    page.emulate_media(media="screen")
    return found
