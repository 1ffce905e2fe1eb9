"""Any API that takes and returns JSON, described by a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError
from guardrails.targets import load_target
from guardrails.targets.endpoint import Decoding, Endpoint, EndpointOptions, Reply, Usage
from guardrails.targets.endpoint.template import Template, _at, _filled, _steps

from .fault_server import Server

KEY = "sk-test-0123456789abcdef"
REQUEST = 'answer = "out[0].text"\n[request]\nprompt = "{prompt}"\n'
FULL = """
url = "URL"
model = "bot"
answer = "out[0].text"
refused = "out[0].refusal"
filtered = "flags.blocked"
prompt_tokens = "used.in"
completion_tokens = "used.out"
[headers]
X-Api-Key = "{api_key}"
X-Team = "audit"
[request]
input = "Q: {prompt} {{end}}"
turns = "{messages}"
[request.parameters]
n = "{max_new_tokens}"
t = "{temperature}"
seed = "{seed}"
stop = ["a", 1, true]
"""


def written(tmp_path: Path, text: str, url: str = "http://127.0.0.1:9/write") -> str:
    path = tmp_path / "api.toml"
    path.write_text(text.replace("URL", url) if "URL" in text else f'url = "{url}"\n{text}')
    return str(path)


def answering(value: Any) -> Any:
    return lambda handler, body: handler.send(200, json.dumps(value))


def test_a_request_is_filled_in_and_an_answer_is_found(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.always = answering({"out": [{"text": "yes"}], "used": {"in": 4, "out": 6}})
    name = f"http:{written(tmp_path, FULL, f'{server.url}/messages')}"
    model = Endpoint(name, EndpointOptions(api_key_env="MY_KEY"))
    conversation = [{"role": "user", "content": "say {seed}"}]
    replies = model.reply([conversation], Decoding(9, 0.5), 1)
    assert replies == [Reply("yes", usage=Usage(4, 6))]
    (body,) = server.asked
    assert body["input"] == "Q: say {seed} {end}"
    assert body["turns"] == [{"role": "user", "content": "say {seed}"}]
    assert (body["parameters"]["n"], body["parameters"]["t"]) == (9, 0.5)
    assert isinstance(body["parameters"]["seed"], int)
    assert body["parameters"]["stop"] == ["a", 1, True]
    (headers,) = server.headers_seen
    assert (headers["X-Api-Key"], headers["X-Team"]) == (KEY, "audit")
    assert "Authorization" not in headers
    assert KEY not in str(model.identity()) + model.read_as
    assert model.identity()["model"] == "bot"


def test_the_answers_are_told_apart(tmp_path: Path) -> None:
    form = Template(written(tmp_path, FULL))
    cases = {
        "yes": {"out": [{"text": "yes"}]},
        "refused": {"out": [{"text": None, "refusal": "no"}]},
        "filtered": {"out": [{"text": "x"}], "flags": {"blocked": True}},
        "error": {"out": []},
        "also error": {"out": [{"text": 5}]},
        "empty": {"out": [{"text": ""}], "flags": {"blocked": False}},
    }
    assert {name: (form.parse(value).finish, form.parse(value).text) for name, value in cases.items()} == {
        "yes": ("stop", "yes"),
        "refused": ("refused", "no"),
        "filtered": ("filtered", ""),
        "error": ("error", ""),
        "also error": ("error", ""),
        "empty": ("stop", ""),
    }


def test_what_the_request_leaves_to_the_server_is_said(tmp_path: Path) -> None:
    assert "temperature and length are the server's own" in Template(written(tmp_path, REQUEST)).describe()
    assert "the server's own" not in Template(written(tmp_path, FULL)).describe()


def test_a_key_goes_into_the_usual_header_where_the_file_names_none(tmp_path: Path) -> None:
    form = Template(written(tmp_path, REQUEST))
    assert form.headers(KEY) == {"Authorization": f"Bearer {KEY}"}
    assert form.headers(None) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "answer: Field required; request: Field required"),
        ('answer = "a"\n[request]\nx = 1\n', "neither {prompt} nor {messages}"),
        ('answer = "a"\n[request]\nx = "{promt}"\n', "Did you mean 'prompt'"),
        ('answer = "a"\n[request]\nx = "{prompt}{api_key}"\n', "the key may stand in headers alone"),
        ('answer = "a..b"\n[request]\nx = "{prompt}"\n', "answer: a path"),
        ('answer = ""\n[request]\nx = "{prompt}"\n', "answer: a path"),
        (REQUEST + '[headers]\nAuthorization = "Bearer hunter2"\n', "write {api_key} for it"),
        (REQUEST + '[headers]\nX-Api-Key = "{api_key}"\n', "name its variable with --api-key-env"),
        (REQUEST + '[headers]\nHost = "other"\n', "cannot be set"),
        (REQUEST + '[headers]\n"X Y" = "z"\n', "cannot be set"),
        (REQUEST + '[headers]\nX-Y = "z\\r\\nHost: other"\n', "printable ASCII"),
        ('anser = "hunter2"\n' + REQUEST, "anser: Extra inputs"),
        ('model = ["hunter2"]\n' + REQUEST, "model: Input should be a valid string"),
        ("a" * 1_000_001, "larger than"),
        (REQUEST + "when = 2020-01-01\n", "a date, a time, nan or inf"),
        (REQUEST + "when = [07:32:00]\n", "a date, a time, nan or inf"),
        (REQUEST + "x = nan\n", "a date, a time, nan or inf"),
        (REQUEST + "x = {y = [inf]}\n", "a date, a time, nan or inf"),
        (REQUEST + """body = '{{"q": "{prompt}"}}'\n""", "JSON in a string"),
        (REQUEST + """body = '[1, "{prompt}", "{seed}"]'\n""", "JSON in a string"),
        (REQUEST + """body = '{"q": "{prompt}"}'\n""", "JSON in a string"),
        ("[[[", "is not TOML"),
        ("request" + ".a" * 100 + " = 1", "parts|nested"),
        ('url = "http://user:hunter2@h/"\n#URL\n' + REQUEST, "holds a user name or password"),
        ('url = "file:///etc/passwd"\n#URL\n' + REQUEST, "a URL such as"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_message(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=words.replace("{", r"\{").replace("[", r"\[")) as error:
        load_target(f"http:{written(tmp_path, text)}")
    assert "hunter2" not in str(error.value)


def test_a_prompt_is_data_whatever_it_holds(server: Server, tmp_path: Path) -> None:
    server.always = answering({"out": [{"text": "yes"}]})
    prompt = 'say "hi"}], "x": {\n\\ {seed} {{x}} \u2028\x00'
    text = REQUEST + 'around = "[INST] {prompt} [/INST] {{"\n'
    model = Endpoint(f"http:{written(tmp_path, text, f'{server.url}/write')}")
    model.reply([[{"role": "user", "content": prompt}]], Decoding(9), 1)
    assert server.asked == [{"prompt": prompt, "around": f"[INST] {prompt} [/INST] {{"}]


@pytest.mark.parametrize("name", ["nowhere.toml", ".", "/dev/null/x"])
def test_a_file_that_is_not_there_is_one_message(name: str) -> None:
    with pytest.raises(ConfigurationError, match="http: "):
        load_target(f"http:{name}")


@given(st.text(), st.text(alphabet="{}promtsed", max_size=30))
def test_a_prompt_is_filled_in_as_it_is(prompt: str, around: str) -> None:
    values = {"prompt": prompt, "seed": 1}
    assert _filled({"x": ["{prompt}"]}, values) == {"x": [prompt]}
    assert _filled("<{prompt}>", values) == f"<{prompt}>"
    doubled = around.replace("{", "{{").replace("}", "}}")
    assert _filled(doubled, {}) == around


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
    st.text(alphabet="ab.[]01", max_size=12),
)
def test_a_path_leads_somewhere_or_nowhere(value: object, path: str) -> None:
    plain = value
    try:
        for step in _steps(path):
            plain = plain[step]  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        plain = None
    if not isinstance(plain, str) or path == "":
        assert _at(value, path) == plain
