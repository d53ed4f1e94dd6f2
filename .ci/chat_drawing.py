"""Draws messages of the bot as HTML, from the payloads that it sends. For `make pictures`. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from bot.sandbox.reading import Reader

Json = dict[str, Any]

ROW, BUTTON, SELECT, SECTION, TEXT, THUMBNAIL, GALLERY, CONTAINER, LABEL = 1, 2, 3, 9, 10, 11, 12, 17, 18
PRIMARY, LINK, DANGER = 1, 5, 4

_TOKENS = re.compile(r"(<t:\d+(?::\w)?>|</[^:>]+:\d+>|<@&?\d+>|<#\d+>|\[(?:\\.|[^\]\\])*\]\(<?https?://[^)\s]+\))")
_PROTECTED = re.compile(r"\\([^a-zA-Z0-9\s])")
_BOLD = re.compile(r"\*\*(.+?)\*\*")

STYLE = """
* { box-sizing: border-box; margin: 0; }
body { background: #313338; color: #dbdee1; font: 16px/1.4 "Picture", sans-serif; }
.scene { display: inline-block; width: var(--width); padding: 18px 20px 20px; background: #313338; }
.message { display: grid; grid-template-columns: 40px 1fr; gap: 2px 14px; }
.message + .message { margin-top: 18px; }
.used { grid-column: 2; color: #a0a4ab; font-size: 14px; }
.used b { color: #c9cdfb; font-weight: 500; }
.avatar { grid-column: 1; grid-row: auto / span 2; width: 40px; height: 40px; border-radius: 50%; background: #f4e9df; padding: 9px 7px; }
.who { grid-column: 2; line-height: 1.2; font-weight: 600; color: #f2f3f5; }
.app { font-size: 10.5px; font-weight: 600; background: #5865f2; color: #fff; border-radius: 4px; padding: 1px 5px;
  vertical-align: 2px; margin: 0 6px; }
.when { font-size: 12px; font-weight: 400; color: #949ba4; }
.said { grid-column: 2; }
.container { border: 1px solid #43454c; border-left: 4px solid var(--accent); border-radius: 8px; background: #393a41;
  padding: 14px 16px; margin-top: 4px; max-width: 520px; display: grid; gap: 10px; }
.section { display: grid; grid-template-columns: 1fr auto; gap: 16px; }
.section img { width: 84px; height: 84px; border-radius: 6px; display: block; }
.gallery { display: grid; grid-template-columns: repeat(var(--columns), 1fr); gap: 4px; border-radius: 8px; overflow: hidden; }
.gallery img { width: 100%; aspect-ratio: 1; display: block; }
h3 { font-size: 19px; line-height: 1.3; font-weight: 650; color: #f2f3f5; }
.text > * + * { margin-top: 2px; }
.text { overflow-wrap: anywhere; }
.small { font-size: 12.5px; color: #a0a4ab; }
.quote { border-left: 4px solid #5b5e66; border-radius: 2px; padding-left: 10px; }
.item { padding-left: 18px; text-indent: -14px; }
.item::before { content: "•"; display: inline-block; width: 14px; text-indent: 0; }
.item.numbered::before { content: none; }
pre { background: #2b2d31; border: 1px solid #232428; border-radius: 5px; padding: 9px 11px; font: 14px/1.35 "DejaVu Sans Mono", monospace; }
a { color: #5cb8ff; text-decoration: none; }
b { color: #f2f3f5; font-weight: 650; }
.mention { color: #c9cdfb; background: #3d4270; border-radius: 3px; padding: 0 3px; }
.date { background: #46484f; border-radius: 3px; padding: 0 3px; }
.row { display: flex; flex-wrap: wrap; gap: 8px; }
.button { background: #4e5058; color: #fff; border-radius: 8px; padding: 6px 15px; font-size: 14px; font-weight: 500; }
.button.primary { background: #5865f2; }
.button.danger { background: #c93a3f; }
.button.link::after { content: "↗"; margin-left: 7px; color: #c4c9ce; }
.button.pressed { outline: 3px solid #f0b232; outline-offset: 2px; }
.select { flex: 1; font-weight: 400; background: #2b2d31; border: 1px solid #232428; border-radius: 8px; padding: 8px 12px; color: #949ba4;
  display: flex; justify-content: space-between; }
.select.chosen { color: #dbdee1; }
.select::after { content: "▾"; }
.private { grid-column: 2; font-size: 12.5px; color: #949ba4; margin-top: 5px; }
.modal { background: #393a41; border: 1px solid #4a4c54; border-radius: 12px; padding: 20px 22px; width: 470px; display: grid; gap: 14px;
  margin: 4px auto; }
.modal label { font-weight: 600; font-size: 15px; display: grid; gap: 6px; }
.modal .ends { display: flex; gap: 10px; justify-content: end; margin-top: 4px; }
.composer { background: #383a40; border-radius: 9px; margin-top: 18px; overflow: hidden; }
.composer .options { background: #2b2d31; padding: 10px 12px; display: grid; gap: 2px; }
.composer .options small { color: #949ba4; font-weight: 600; font-size: 12px; }
.composer .options div { padding: 7px 10px; border-radius: 6px; }
.composer .options div:nth-child(2) { background: #404249; color: #fff; }
.composer .typed { padding: 12px 16px; }
.composer .typed b { margin-right: 10px; }
.composer .typed span { border: 1px solid #7fb3c8; border-radius: 5px; padding: 2px 8px; }
"""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Draws messages. `covers`: the bytes of each picture by its address. `mark`: the bot's picture, as SVG."""

    reader: Reader
    covers: Mapping[str, bytes]
    mark: str

    def message(self, components: Sequence[Json], *, used: str = "", private: bool = False, pressed: str = "") -> str:
        """A message of the bot. `used`: who used which command. `pressed`: the label of a button that is pressed."""
        body = "".join(self._part(part, pressed) for part in components)
        above = f'<p class="used">{used}</p>' if used else ""
        below = '<p class="private">Only you can see this</p>' if private else ""
        avatar = f'<img class="avatar" alt="" src="{_data("image/svg+xml", self.mark.encode())}">'
        who = '<p class="who">Gatefold<span class="app">APP</span></p>'
        return f'<div class="message">{above}{avatar}{who}<div class="said">{body}</div>{below}</div>'

    def modal(self, modal: Json, chosen: Mapping[str, str]) -> str:
        """A form. `chosen`: by the id of a menu, how the chosen option begins."""
        fields = []
        for part in modal["components"]:
            field = part["component"]
            begin = chosen.get(field["custom_id"], "\0")
            label = next((one["label"] for one in field["options"] if one["label"].startswith(begin)), None)
            shown = escape(label or "Make a selection")
            fields.append(
                f'<label>{escape(part["label"])}<div class="select{" chosen" if label else ""}">{shown}</div></label>'
            )
        ends = '<div class="ends"><span class="button">Cancel</span><span class="button primary">Submit</span></div>'
        return f'<div class="modal"><h3>{escape(modal["title"])}</h3>{"".join(fields)}{ends}</div>'

    @staticmethod
    def composer(command: str, option: str, typed: str, offered: Sequence[str]) -> str:
        """A command that is being typed, with what is offered."""
        options = "".join(f"<div>{escape(one)}</div>" for one in offered)
        return (
            f'<div class="composer"><div class="options"><small>OPTIONS MATCHING {escape(typed.upper())}</small>{options}</div>'
            f'<div class="typed"><b>/{escape(command)}</b><span>{escape(option)}&nbsp; {escape(typed)}</span></div></div>'
        )

    def _part(self, part: Json, pressed: str) -> str:
        match part["type"]:
            case kind if kind == CONTAINER:
                inside = "".join(self._part(one, pressed) for one in part["components"])
                return f'<div class="container" style="--accent:#{part.get("accent_color") or 0:06x}">{inside}</div>'
            case kind if kind == SECTION:
                texts = "".join(self._part(one, pressed) for one in part["components"])
                beside = part["accessory"]
                shown = self._cover(beside) if beside["type"] == THUMBNAIL else self._part(beside, pressed)
                return f'<div class="section"><div>{texts}</div>{shown}</div>'
            case kind if kind == TEXT:
                return f'<div class="text">{self._text(part["content"])}</div>'
            case kind if kind == GALLERY:
                columns = min(len(part["items"]), 5)
                covers = "".join(self._cover(item) for item in part["items"])
                return f'<div class="gallery" style="--columns:{columns}">{covers}</div>'
            case kind if kind == ROW:
                return f'<div class="row">{"".join(self._part(one, pressed) for one in part["components"])}</div>'
            case kind if kind == SELECT:
                return f'<div class="select">{escape(part.get("placeholder") or "")}</div>'
            case kind if kind == BUTTON:
                style = {PRIMARY: " primary", LINK: " link", DANGER: " danger"}.get(part["style"], "")
                style += " pressed" if part["label"] == pressed else ""
                return f'<span class="button{style}">{escape(part["label"])}</span>'
        return ""

    def _cover(self, part: Json) -> str:
        png = self.covers[part["media"]["url"]]
        return f'<img alt="" src="{_data("image/png", png)}">'

    def _text(self, content: str) -> str:
        lines: list[str] = []
        code: list[str] | None = None
        for line in content.split("\n"):
            if line.startswith("```"):
                if code is not None:
                    lines.append(f"<pre>{escape(chr(10).join(code))}</pre>")
                code = [] if code is None else None
            elif code is not None:
                code.append(line)
            else:
                lines.append(self._line(line))
        return "".join(lines)

    def _line(self, line: str) -> str:
        for begin, tag in (
            ("### ", "h3"),
            ("-# ", 'p class="small"'),
            ("> ", 'p class="quote"'),
            ("- ", 'p class="item"'),
        ):
            if line.startswith(begin):
                return f"<{tag}>{self._inline(line.removeprefix(begin))}</{tag.split()[0]}>"
        return f"<p>{self._inline(line) or '&nbsp;'}</p>"

    def _inline(self, text: str) -> str:
        parts = _TOKENS.split(text)
        drawn = [self._token(part) if place % 2 else self._words(part) for place, part in enumerate(parts)]
        return _BOLD.sub(r"<b>\1</b>", "".join(drawn)).replace("\ufffe", "*")

    def _token(self, token: str) -> str:
        read = escape(self.reader.text(token)).replace("*", "\ufffe")
        if token.startswith("["):
            return f'<a href="#">{read}</a>'
        return f'<span class="{"date" if token.startswith("<t:") else "mention"}">{read}</span>'

    @staticmethod
    def _words(text: str) -> str:
        plain = _PROTECTED.sub(lambda found: "\ufffe" if found[1] == "*" else found[1], text)
        return escape(plain.replace("`", ""))


def page(body: str, width: int, font: bytes) -> str:
    """A page that shows one scene, `width` pixels wide."""
    face = f'@font-face {{ font-family: "Picture"; font-weight: 100 900; src: url({_data("font/ttf", font)}); }}'
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><style>{face}{STYLE}</style>'
        f'<body style="--width:{width}px"><div class="scene">{body}</div></body></html>'
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
