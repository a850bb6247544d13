"""Texts that transformers renders from the chat templates in tests/data/templates.

Makes in --out, one JSON file:
  cases     [{template, variables, text}]: the file's name, its variables, and the text; no `text` if the template or
            Jinja refuses it. strftime_now tells NOW.
  versions
Checked here: every template renders some conversation.
"""

import datetime
import itertools
import json
from pathlib import Path

import jinja2
from common import library_versions, parse_arguments
from transformers.utils import chat_template_utils

TEMPLATES = Path(__file__).resolve().parents[1] / "data" / "templates"
NOW = datetime.datetime(2024, 7, 6, 12, 30)
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def says(role: str, content, **more) -> dict:
    return {"role": role, "content": content} | more


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Today's weather in a \"place\", in °C <or °F>",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "days": {"type": "integer", "enum": [1, 2]}},
            "required": ["place"],
        },
        "return": {"type": "string"},
    },
}
CALL = {"type": "function", "id": "call12345", "function": {"name": "weather", "arguments": {"place": "Zürich", "days": 2}}}
ODD_CALL = {"function": {"name": "f", "arguments": {"who": "👩\u200d💻\u200b", "n": 1e20, "m": None, "l": [1.0, "é"]}}}
USER, ANSWER = says("user", "  Hello, who are you?\n"), says("assistant", "\nA model. ")
SYSTEM = says("system", "Answer in rhymes — always.\n")
THOUGHT = says("assistant", "<think>\nIt asks for a name.\n</think>\n\nAda.")
TOOL = says("tool", '{"sky": "clear"}', tool_call_id="call12345")
CONVERSATIONS = [
    [USER],
    [SYSTEM, USER],
    [USER, ANSWER, says("user", "Und jetzt?")],
    [SYSTEM, USER, ANSWER, says("user", "日本語 👍"), THOUGHT, USER],
    [USER, USER],
    [USER, says("assistant", "", tool_calls=[CALL]), TOOL, says("assistant", "Clear.")],
    [SYSTEM, USER, says("assistant", "I look.", tool_calls=[CALL]), TOOL, TOOL],
    [says("user", [{"type": "image"}, {"type": "text", "text": " What is this? "}])],
    [says("system", ""), USER, says("observation", "seen"), says("assistant", "x", metadata="search")],
    [USER, THOUGHT],
    [says("user", "Übung\r\nfür\u2028alle"), says("assistant", "", tool_calls=[ODD_CALL]), TOOL],
]
OPTIONS = [{}, {"add_generation_prompt": True}, {"add_generation_prompt": True, "tools": [WEATHER], "enable_thinking": False}]


def variables_of(messages: list, options: dict) -> dict:
    return {"messages": messages, "tools": None, "documents": None, "add_generation_prompt": False} | SPECIAL | options


def rendered(source: str, variables: dict) -> dict:
    given = dict(variables)
    try:
        texts, _ = chat_template_utils.render_jinja_template([given.pop("messages")], chat_template=source, **given)
    except (jinja2.TemplateError, TypeError):
        return {}
    return {"text": texts[0]}


def main() -> None:
    arguments = parse_arguments(__doc__, "the file")
    chat_template_utils.datetime = FixedTime
    cases = []
    for path in sorted(TEMPLATES.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        of_this = []
        for messages, options in itertools.product(CONVERSATIONS, OPTIONS):
            variables = variables_of(messages, options)
            of_this.append({"template": path.stem, "variables": variables} | rendered(source, variables))
        assert any("text" in case for case in of_this), f"{path.name} renders nothing"
        cases += of_this
    expected = {"cases": cases, "versions": library_versions()}
    arguments.out.write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
