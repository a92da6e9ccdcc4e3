"""Chat templates with the traits of the published ones, in words of our own.

Each name says whose traits it has; the comment says which trait a trainer can trip over.
"""

from __future__ import annotations


def _each(kind: str, body: str) -> str:
    """The template that writes `body` for every block of that kind in `m`."""
    return (
        "{% for part in m['content'] %}{% if part['type'] == '" + kind + "' %}"
        f"{body}"
        "{% endif %}{% endfor %}"
    )


_TEXT = _each("text", "{{ part['text'] }}")
# Text that is not in blocks is dropped without a word, as in the published templates.
_IN_ORDER = (
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}%IMAGE%"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
)

# No end token at all: nothing would teach the model to stop.
VICUNA = (
    "{% for m in messages %}"
    "{% if m['role'] != 'system' %}{{ m['role'] | upper }}: {% endif %}"
    + _each("image", "<image>\n")
    + _each("text", "{{ part['text'] }} ")
    + "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)

# What should be the end token is misspelled, so that it is text.
MISTRAL_MISSPELT = (
    "{% for m in messages %}"
    "{% if m['role'] == 'system' %}<<SYS>>\n" + _TEXT + "\n<</SYS>>\n\n"
    "{% elif m['role'] == 'user' %}[INST] " + _each("image", "<image>\n") + _TEXT + " [/INST]"
    "{% else %} {{ m['content'][0]['text'] }}<\\s> {% endif %}{% endfor %}"
)

# ChatML without newlines between turns and with images first.
CHATML_IMAGES_FIRST = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    + _each("image", "<image>\n")
    + _TEXT
    + "<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# An answer is opened by a space and a newline, but asked for with a newline only.
ONEVISION = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }} "
    + _each("image", "<image>")
    + _each("text", "{{ '\n' + part['text'] }}")
    + "<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# ChatML in order, with a newline after each image.
INTERNVL = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    + _IN_ORDER.replace("%IMAGE%", "<IMG_CONTEXT>\n")
    + "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def idefics(start: str) -> str:
    """The start token is in the template, and a colon's space depends on what follows it."""
    return (
        start
        + "{% for m in messages %}{{ m['role'] | capitalize }}:"
        + "{% if m['content'][0]['type'] != 'image' %} {% endif %}"
        + _IN_ORDER.replace("%IMAGE%", "<image>")
        + "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
    )


# The start token is in the template, text is trimmed, the system prompt moves into the first
# question, and turns must alternate.
GEMMA3 = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'] if messages[0]['content'] is string"
    " else messages[0]['content'][0]['text'] %}"
    "{% set first, turns = first + '\n\n', messages[1:] %}"
    "{% else %}{% set first, turns = '', messages %}{% endif %}"
    "{% for m in turns %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{% if loop.first %}{{ first }}{% endif %}"
    "{% if m['content'] is string %}{{ m['content'] | trim }}{% else %}"
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}<start_of_image>"
    "{% elif part['type'] == 'text' %}{{ part['text'] | trim }}{% endif %}{% endfor %}{% endif %}"
    "<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)

# Gemma 1 and 2: no system prompt.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}"
    "\n{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)

# The start token is in the template, and a default system prompt that names the day.
MISTRAL3 = (
    "{{ bos_token }}{% if messages[0]['role'] != 'system' %}"
    "[SYSTEM_PROMPT]Today is {{ strftime_now('%Y-%m-%d') }}.[/SYSTEM_PROMPT]{% endif %}"
    "{% for m in messages %}"
    "{% if m['role'] == 'system' %}[SYSTEM_PROMPT]" + _TEXT + "[/SYSTEM_PROMPT]"
    "{% elif m['role'] == 'user' %}[INST]" + _IN_ORDER.replace("%IMAGE%", "[IMG]") + "[/INST]"
    "{% else %}" + _TEXT + "{{ eos_token }}{% endif %}{% endfor %}"
)

# The system prompt moves to the last question, so that a later turn rewrites an earlier one.
PIXTRAL = (
    "{{ bos_token }}{% set system = '' %}{% set turns = messages %}"
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system, turns = messages[0]['content'][0]['text'] + '\n\n', messages[1:] %}{% endif %}"
    "{% for m in turns %}{% if m['role'] == 'user' %}[INST]"
    "{% if loop.last %}{{ system }}{% endif %}"
    + _IN_ORDER.replace("%IMAGE%", "[IMG]")
    + "[/INST]{% else %}"
    + _TEXT
    + "{{ eos_token }}{% endif %}{% endfor %}"
)

# Text only: images are numbered placeholders in it.
PHI3 = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}"
    "{{ '<|assistant|>\\n' }}{% endif %}"
)

# A token is appended after the last turn, unless the next answer is asked for.
PHI4 = (
    "{% for m in messages %}<|{{ m['role'] }}|>"
    + _IN_ORDER.replace("%IMAGE%", "<|image|>")
    + "<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% else %}{{ eos_token }}{% endif %}"
)

# Plain text: the start token, the day unless one is given, content trimmed.
LLAMA3 = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\n"
    "Today Date: {{ strftime_now('%d %b %Y') }}\n\n"
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] | trim }}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}<|eot_id|>"
    "{% for m in turns %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)

# Plain text: ChatML with a default system prompt.
QWEN2 = (
    "{% if messages[0]['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# Plain text: the system prompt, where there is one, moves to the last question.
MISTRAL = (
    "{{ bos_token }}{% set turns = messages %}"
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system, turns = messages[0]['content'] + '\n\n', messages[1:] %}{% endif %}"
    "{% for m in turns %}{% if m['role'] == 'user' %}[INST] "
    "{% if loop.last and system is defined %}{{ system }}{% endif %}{{ m['content'] }}[/INST]"
    "{% else %} {{ m['content'] | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)

# An empty thought comes before the last answer, and is dropped from earlier ones.
QWEN3 = (
    "{% set last = namespace(question=0) %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{% set last.question = loop.index0 %}"
    "{% endif %}{% endfor %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.index0 > last.question %}<think>\n\n</think>\n\n"
    "{% endif %}"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    + _IN_ORDER.replace("%IMAGE%", "<|vision_start|><|image_pad|><|vision_end|>")
    + "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
    "{% else %}<think>\n{% endif %}{% endif %}"
)
