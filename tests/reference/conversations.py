"""Tokens of conversations, and which of them are the assistant's by transformers' `return_assistant_tokens_mask`.

Makes in --out, one JSON file:
  tokenizer, tokenizer_config   of a small tokenizer of Qwen2's kind (NFC), without a chat template
  cases                         [{name, plain, marked, line, ids, mask}]: a template as models have it, the same with
                                {% generation %}, a line of JSON Lines, and the tokens of both. strftime_now tells NOW
  versions
Checked here: both templates of a case give one text.
"""

import datetime
import json
from pathlib import Path

from common import library_versions, parse_arguments
from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

TEMPLATES = Path(__file__).resolve().parents[1] / "data" / "templates"
NOW = datetime.datetime(2024, 7, 26)
BEGIN, END = "{%- generation %}", "{%- endgeneration %}"
SPECIAL = ["<s>", "</s>", "<think>", "</think>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>"]
SPECIAL += ["<|end_header_id|>", "<|user|>", "<|assistant|>", "<|end|>", "[gMASK]", "<sop>", "<start_of_turn>", "<end_of_turn>"]

# No special token stands between turns, so that tokens reach over both ends of answers.
TALK = (
    "{% set names = {'system': 'a system: ', 'user': 'a user: ', 'assistant': 'an answer: '} %}{% for m in messages %}"
    "{{ names[m.role] }}{{ m.content + ' ' }}{% endfor %}{% if add_generation_prompt %}{{ names['assistant'] }}{% endif %}"
)
# The prompt for an answer begins a thought that a given answer has not.
THINKS = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' }}{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|><think>\\n' }}{% endif %}"
)
# Replacements that mark the assistant's text.
MARKS = {
    "chatml": (
        "message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}",
        "message['role'] + '\\n' }}{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>\\n' }}"
        "{% endgeneration %}{% else %}{{ message['content'] + '<|im_end|>\\n' }}{% endif %}",
    ),
    "phi3": (
        "{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}",
        "{{'<|assistant|>\n'}}{% generation %}{{ message['content'] + '<|end|>\n'}}{% endgeneration %}",
        "{% else %}{{ eos_token }}{% endif %}",
        "{% elif messages[-1].role == 'assistant' %}{% generation %}{{ eos_token }}{% endgeneration %}{% else %}{{ eos_token }}{% endif %}",
    ),
    "llama3": (
        "{{- header('assistant') -}}\n        {{- '{\"name\": \"' + call.name + '\", \"parameters\": ' ~ call.arguments | tojson ~ '}' }}",
        "{{- header('assistant') -}}" + BEGIN + "{{- '{\"name\": \"' + call.name + '\", \"parameters\": ' ~ call.arguments | tojson ~ "
        "'}' }}{{- '<|eot_id|>' }}" + END,
        "{{- header(m.role) + m.content | trim }}\n    {%- endif %}\n    {{- \"<|eot_id|>\" }}",
        "{{- header(m.role) }}{%- if m.role == 'assistant' %}" + BEGIN + "{{- m.content | trim + '<|eot_id|>' }}" + END
        + "{%- else %}{{- m.content | trim }}{%- endif %}\n    {%- endif %}\n"
        + "    {%- if m.role != 'assistant' %}{{- \"<|eot_id|>\" }}{%- endif %}",
    ),
    "qwen3": (
        "'\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}",
        "'\\n' }}" + BEGIN + "{{- '<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}" + END,
        "'\\n' + content }}\n            {%- endif %}",
        "'\\n' }}" + BEGIN + "{{- content }}" + END + "\n            {%- endif %}",
        "'\\n' + content }}\n        {%- endif %}\n        {%- if message.tool_calls %}",
        "'\\n' }}" + BEGIN + "{{- content }}" + END + "\n        {%- endif %}\n        " + BEGIN + "{%- if message.tool_calls %}",
        "{{- '<|im_end|>\\n' }}\n    {%- elif message.role == \"tool\" %}",
        "{{- '<|im_end|>\\n' }}" + END + "\n    {%- elif message.role == \"tool\" %}",
    ),
    "talk": (
        "{{ m.content + ' ' }}",
        "{% if m.role == 'assistant' %}{% generation %}{{ m.content + ' ' }}{% endgeneration %}{% else %}{{ m.content + ' ' }}{% endif %}",
    ),
    "thinks": (
        "{{ m.content.split('</think>')[-1] }}{{ eos_token }}",
        "{% if m.role == 'assistant' %}{% generation %}{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endgeneration %}"
        "{% else %}{{ m.content }}{{ eos_token }}{% endif %}",
    ),
}


def says(role: str, content: str) -> dict:
    return {"role": role, "content": content}


WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"place": {}}}}}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"place": "Zürich", "days": 2}}}
TOOL = says("tool", '{"sky": "clear"}')
USER, MORE = says("user", "  Hello, who are you?\n"), says("user", "Und jetzt? 👍")
ANSWER, TAKEN_APART = says("assistant", "A model. "), says("assistant", "e\u0301te\u0301, nai\u0308ve\n")
THOUGHT = says("assistant", "<think>\nIt asks for a name.\n</think>\n\nAda.")
REASONED = {"role": "assistant", "content": "Grace.", "reasoning_content": "Another name."}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TEXTS = [
    [USER, ANSWER],
    [says("system", "Be brief. Cafe\u0301."), USER, TAKEN_APART, MORE, says("assistant", "\n\nNothing")],
    [USER, says("assistant", "one"), MORE, says("assistant", "one"), USER],
    [USER, says("assistant", "?"), MORE, says("assistant", "</s>x"), MORE, says("assistant", "日本語.")],
]
THOUGHTS = [
    [USER, THOUGHT, MORE, THOUGHT],
    [USER, REASONED, MORE, ANSWER, MORE, REASONED],
    [USER, CALLS, TOOL, says("assistant", "Clear.")],
    [USER, CALLS, TOOL, TOOL, REASONED, MORE, THOUGHT],
]


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def marked(source: str, replacements: tuple[str, ...]) -> str:
    for old, new in zip(replacements[::2], replacements[1::2], strict=True):
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


def lines_of(name: str) -> list[dict]:
    conversations = TEXTS + (THOUGHTS if name == "qwen3" else [])
    conversations += THOUGHTS[:1] if name == "thinks" else []
    conversations += [[USER, CALLS, TOOL, ANSWER]] if name == "llama3" else []
    lines = [{"messages": messages} for messages in conversations]
    if name == "qwen3":
        lines.append({"messages": THOUGHTS[2], "tools": [WEATHER]})
    if name == "llama3":
        lines.append({"messages": TEXTS[1], "chat_template_kwargs": {"today": "1 Apr 2020"}, "tools": [WEATHER], "id": 7})
    return lines


def describe(tokenizer: PreTrainedTokenizerFast, plain: str, with_marks: str, line: dict) -> dict:
    given = {"tools": line.get("tools")} | line.get("chat_template_kwargs", {})
    texts = {tokenizer.apply_chat_template(line["messages"], chat_template=t, tokenize=False, **given) for t in (plain, with_marks)}
    assert len(texts) == 1, texts
    out = tokenizer.apply_chat_template(
        line["messages"], chat_template=with_marks, return_dict=True, return_assistant_tokens_mask=True, **given
    )
    return {"line": line, "ids": out["input_ids"], "mask": out["assistant_masks"]}


def main() -> None:
    arguments = parse_arguments(__doc__, "the file", tokens="folder of tokens.py")
    chat_template_utils.datetime = FixedTime
    families = json.loads((arguments.tokens / "tokens.json").read_text(encoding="utf-8"))["families"]
    trained = Tokenizer.from_str(json.dumps(next(family["tokenizer"] for family in families if family["name"] == "qwen2")))
    trained.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained, **special)
    sources = {name: (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8") for name in MARKS if name not in ("talk", "thinks")}
    sources |= {"talk": TALK, "thinks": THINKS}
    cases = []
    for name, source in sources.items():
        with_marks = marked(source, MARKS[name])
        for line in lines_of(name):
            case = describe(tokenizer, source, with_marks, line)
            cases.append({"name": name, "plain": source, "marked": with_marks} | case)
    expected = {
        "tokenizer": json.loads(trained.to_str()),
        "tokenizer_config": special,
        "cases": cases,
        "versions": library_versions(),
    }
    arguments.out.write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
